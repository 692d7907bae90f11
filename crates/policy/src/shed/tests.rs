//! The shedder before a server of some places, from a few calls a second to many.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;

use super::*;
use crate::limit::{Place, QueueSettings};

const LADDER: [Priority; 4] = [Priority::Low, Priority::Normal, Priority::High, Priority::Critical];
const LONGEST: Duration = Duration::from_secs(2);

fn at(seconds: f64) -> Moment {
    Moment::from_nanos(crate::number::whole(seconds * 1e9))
}

struct Random(u64);

impl Random {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// Exponential around a mean.
    fn around(&mut self, mean: f64) -> f64 {
        -mean * ((self.draw() as f64 + 1.0) / 2_147_483_649.0).ln()
    }
}

/// What became of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum End {
    #[default]
    Waits,
    Served {
        waited: f64,
    },
    Shed,
    Late,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    came: f64,
    priority: Priority,
    tenant: Option<u64>,
    user: Option<u64>,
    end: End,
}

/// A server of `places`, each call of which takes `service` seconds on average; calls come by `gap`, which gives the
/// pause before the next at a time.
struct Server {
    places: usize,
    service: f64,
    settings: Option<Settings>,
}

impl Server {
    fn run(
        &self,
        until: f64,
        gap: impl Fn(f64, &mut Random) -> f64,
        dress: impl Fn(&mut Random) -> (Priority, Option<u64>, Option<u64>),
        seed: u64,
    ) -> (Vec<Asked>, Option<Shedder>) {
        let mut random = Random(seed);
        let mut queue: Queue<usize> = Queue::new(QueueSettings::default());
        let mut shedder = self.settings.map(|settings| Shedder::new(settings, LONGEST));
        let mut calls: Vec<Asked> = Vec::new();
        let mut ends: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
        let mut next = 0.0;
        while next < until {
            let (now, arrival) = match ends.peek() {
                Some(Reverse(end)) if *end as f64 / 1e9 <= next => (*end as f64 / 1e9, false),
                _ => (next, true),
            };
            let moment = at(now);
            while let Some(call) = queue.expire(moment) {
                calls[call].end = End::Late;
                shedder.as_mut().into_iter().for_each(|shedder| shedder.left(queue.len(), moment));
            }
            if arrival {
                next = now + gap(now, &mut random);
                let (priority, tenant, user) = dress(&mut random);
                calls.push(Asked { came: now, priority, tenant, user, end: End::Waits });
                let index = calls.len() - 1;
                if queue.is_empty() && ends.len() < self.places {
                    calls[index].end = End::Served { waited: 0.0 };
                    ends.push(Reverse(at(now + random.around(self.service)).as_nanos()));
                    continue;
                }
                let rank = shedder
                    .as_mut()
                    .map_or(Rank::Spared, |shedder| shedder.rank(priority, tenant, user, moment));
                let place =
                    Place { priority, flow: tenant.unwrap_or(0), cost: 1, deadline: moment + LONGEST, rank };
                if queue.push(index, place, moment).is_err() {
                    calls[index].end = End::Late;
                } else if let Some((gone, _)) =
                    shedder.as_mut().and_then(|shedder| shedder.came(&mut queue, moment))
                {
                    calls[gone].end = End::Shed;
                    assert!(ends.len() == self.places, "nobody is shed while a place is free");
                }
            } else {
                ends.pop();
                if let Some(call) = queue.pop(moment) {
                    calls[call].end = End::Served { waited: now - calls[call].came };
                    shedder.as_mut().into_iter().for_each(|shedder| {
                        shedder.served(calls[call].tenant, queue.len(), moment);
                    });
                    ends.push(Reverse(at(now + random.around(self.service)).as_nanos()));
                }
            }
        }
        (calls, shedder)
    }
}

fn plain(_: &mut Random) -> (Priority, Option<u64>, Option<u64>) {
    (Priority::Normal, None, None)
}

fn served(calls: &[Asked]) -> usize {
    calls.iter().filter(|call| matches!(call.end, End::Served { .. })).count()
}

/// The wait that all but one of a hundred served calls did not have.
fn p99(calls: &[Asked]) -> f64 {
    let mut waits: Vec<f64> = calls
        .iter()
        .filter_map(|call| if let End::Served { waited } = call.end { Some(waited) } else { None })
        .collect();
    waits.sort_unstable_by(f64::total_cmp);
    waits[waits.len() * 99 / 100]
}

/// Goal: 95 % of what could be served, at any rate.
#[test]
fn goal_nothing_is_lost_at_few_calls_a_second_or_many() {
    for (places, service, over) in
        [(1, 1.0, 1.5), (1, 0.2, 2.0), (4, 2.0, 1.3), (16, 2.0, 1.5), (16, 2.0, 4.0), (100, 0.1, 1.2)]
    {
        let rate = places as f64 / service;
        let gap = |_: f64, random: &mut Random| random.around(1.0 / (rate * over));
        let until = 8_000.0 / rate;
        let of = |settings| {
            let server = Server { places, service, settings };
            let (calls, _) = server.run(until, gap, plain, 7);
            (served(&calls) as f64 / until / rate, p99(&calls))
        };
        let ((share, wait), (without, long)) = (of(Some(Settings::default())), of(None));
        println!(
            "{places} places of {service} s, {over} × too much: {share:.3} of the capacity, p99 wait {wait:.2} s; \
             without shedding {without:.3}, {long:.2} s"
        );
        assert!(share >= 0.95 * without, "{share} {without}");
    }
}

#[test]
fn twice_too_much_serves_the_important_half_and_a_burst_is_let_be() {
    let server = Server { places: 20, service: 0.2, settings: Some(Settings::default()) };
    let all = |random: &mut Random| (LADDER[(random.draw() % 4) as usize], None, Some(random.draw()));
    let twice = |_: f64, random: &mut Random| random.around(1.0 / 200.0);
    let (calls, _) = server.run(120.0, twice, all, 3);
    let later = || calls.iter().filter(|call| call.came > 20.0);
    let part = |priority| {
        let of = || later().filter(|call| call.priority == priority);
        of().filter(|call| matches!(call.end, End::Served { .. })).count() as f64 / of().count() as f64
    };
    println!("served by priority: {:?}", LADDER.map(part));
    assert!(part(Priority::Critical) > 0.999 && part(Priority::High) > 0.9 && part(Priority::Low) < 0.05);
    let important: Vec<Asked> = later().filter(|call| call.priority >= Priority::High).copied().collect();
    println!("p99 wait of the important half: {:.2} s", p99(&important));
    assert!(p99(&important) < 1.0);
    // A burst of half a second's more than there is room for, every five seconds: it is over within two.
    let bursts = |now: f64, random: &mut Random| {
        if now % 5.0 < 0.5 { random.around(1.0 / 300.0) } else { random.around(1.0 / 50.0) }
    };
    let (calls, shedder) = server.run(120.0, bursts, all, 4);
    let (missed, shed) = (calls.len() - served(&calls), shedder.unwrap().shed());
    println!("bursts: {missed} not served, {shed} shed, of {}", calls.len());
    assert!(missed * 500 <= calls.len(), "bursts that can be served are");
}

#[test]
fn a_loud_tenant_gets_no_more_than_the_others() {
    let server = Server { places: 16, service: 1.5, settings: Some(Settings::default()) };
    // Ten tenants want 20 a second together, the first as much as five others.
    let tenants = |random: &mut Random| {
        (Priority::Normal, Some((random.draw() % 14).saturating_sub(4).wrapping_mul(0x9E37_79B9)), None)
    };
    let (calls, _) = server.run(600.0, |_, random| random.around(1.0 / 20.0), tenants, 5);
    let parts: Vec<f64> = (0..10_u64)
        .map(|tenant| {
            let own = |call: &&Asked| call.tenant == Some(tenant.wrapping_mul(0x9E37_79B9));
            calls.iter().filter(own).filter(|call| matches!(call.end, End::Served { .. })).count() as f64
        })
        .collect();
    let (sum, squares): (f64, f64) = (parts.iter().sum(), parts.iter().map(|part| part * part).sum());
    let jain = sum * sum / (10.0 * squares);
    println!("served of each tenant: {parts:?}; Jain {jain:.4}");
    assert!(jain >= 0.97, "{jain}");
}

#[test]
fn a_user_keeps_its_place() {
    let server = Server { places: 16, service: 1.5, settings: Some(Settings::default()) };
    let users = |random: &mut Random| (Priority::Normal, None, Some(random.draw() % 8 * 8));
    let (calls, _) = server.run(600.0, |_, random| random.around(1.0 / 16.0), users, 6);
    let part = |user| {
        let of = || calls.iter().filter(|call| call.user == Some(user));
        of().filter(|call| matches!(call.end, End::Served { .. })).count() as f64 / of().count() as f64
    };
    let parts: Vec<f64> = (0..8).map(|user| part(user * 8)).collect();
    println!("served of each user: {parts:.2?}");
    assert!(parts[7] > 0.95 && parts[6] > 0.9 && parts[0] < 0.6);
}

#[test]
fn the_lower_the_longer_to_come_back() {
    let mut shedder = Shedder::new(Settings::default(), Duration::ZERO);
    let mut queue = Queue::new(QueueSettings::default());
    let push = |shedder: &mut Shedder, queue: &mut Queue<Priority>, priority, seconds: f64| {
        let rank = shedder.rank(priority, None, None, at(seconds));
        let place = Place { priority, flow: 0, cost: 1, deadline: at(100.0), rank };
        queue.push(priority, place, at(seconds)).unwrap();
        shedder.came(queue, at(seconds)).map(|(priority, shed)| (priority, shed.retry_after.as_secs()))
    };
    assert_eq!(push(&mut shedder, &mut queue, Priority::High, 1.0), None, "nothing is known yet");
    queue.pop(at(1.1)).unwrap();
    shedder.served(None, queue.len(), at(1.1));
    for priority in [Priority::High, Priority::Critical, Priority::Critical, Priority::Critical] {
        assert_eq!(push(&mut shedder, &mut queue, priority, 1.1), None, "a few may always wait");
    }
    let mut push = |priority, seconds| push(&mut shedder, &mut queue, priority, seconds);
    assert_eq!(push(Priority::Low, 1.2), Some((Priority::Low, 4)), "the lowest of the others is high");
    assert_eq!(push(Priority::High, 1.3), Some((Priority::High, 1)), "the newest of equals");
    assert_eq!(push(Priority::Critical, 1.4), Some((Priority::High, 1)));
    assert_eq!(push(Priority::Critical, 1.5), None, "critical ones are spared");
    assert_eq!(shedder.shed(), 3);
}

proptest! {
    /// Whatever happens: who is taken out ranks lowest of all that wait, and never is a critical one, and the line is
    /// never emptied.
    #[test]
    fn the_lowest_goes(
        steps in prop::collection::vec((0_usize..6, 0_u64..100, 0_u64..3_000), 1..300),
    ) {
        let mut shedder = Shedder::new(Settings::default(), LONGEST);
        let mut queue: Queue<(usize, u64)> = Queue::new(QueueSettings::default());
        let mut waiting: Vec<(usize, u64)> = Vec::new();
        let mut now = 0.0;
        for (what, user, pause) in steps {
            now += pause as f64 / 1e3;
            let moment = at(now);
            if let Some(priority) = LADDER.get(what) {
                let rank = shedder.rank(*priority, None, Some(user), moment);
                let place = Place { priority: *priority, flow: user, cost: 1, deadline: at(1e6), rank };
                queue.push((what, user % 64), place, moment).unwrap();
                waiting.push((what, user % 64));
                if let Some((gone, shed)) = shedder.came(&mut queue, moment) {
                    prop_assert_eq!(Some(&gone), waiting.iter().min());
                    prop_assert!(gone.0 < 3 && !queue.is_empty());
                    prop_assert!((1..=8).contains(&shed.retry_after.as_secs()));
                    waiting.remove(waiting.iter().position(|one| *one == gone).unwrap());
                }
            } else if let Some(out) = queue.pop(moment) {
                shedder.served(Some(user), queue.len(), moment);
                waiting.remove(waiting.iter().position(|one| *one == out).unwrap());
            }
            prop_assert_eq!(queue.len(), waiting.len());
        }
    }
}
