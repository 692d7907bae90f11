use std::time::Duration;

use proptest::prelude::*;
use types::Moment;

use super::histogram::{BUCKETS, bucket, upper};
use super::{Adaptive, Quantiles, Window};

const MILLI: Duration = Duration::from_millis(1);

fn at(seconds: u64) -> Moment {
    Moment::from_nanos(seconds * 1_000_000_000)
}

#[test]
fn a_bucket_holds_what_lies_up_to_its_upper_end() {
    for index in 0..BUCKETS - 1 {
        assert_eq!(bucket(upper(index)), index + 1, "its end begins the next one");
        assert_eq!(bucket(upper(index).saturating_sub(Duration::from_micros(1))), index);
    }
    assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    assert_eq!(bucket(Duration::ZERO), 0);
    assert!(upper(BUCKETS - 1) > Duration::from_secs(4_000));
}

proptest! {
    /// Against the sorted list: never shorter than the true quantile, and at most a bucket (12.5 %) longer.
    #[test]
    fn quantiles_are_those_of_a_sorted_list(mut micros in prop::collection::vec(600_u64..100_000_000, 1..400)) {
        let window = Window::new();
        for took in &micros {
            window.record(at(3), Duration::from_micros(*took));
        }
        micros.sort_unstable();
        let quantiles = window.quantiles(at(4));
        prop_assert_eq!(quantiles.samples as usize, micros.len());
        for (got, hundredths) in [(quantiles.p50(), 50), (quantiles.p95(), 95), (quantiles.p99(), 99)] {
            let rank = (micros.len() * hundredths).div_ceil(100);
            let exact = Duration::from_micros(micros[rank - 1]);
            let got = got.unwrap();
            prop_assert!(got >= exact && got <= exact * 1_130 / 1_000, "{:?} {:?}", got, exact);
        }
    }
}

#[test]
fn it_forgets_after_a_minute() {
    let window = Window::new();
    window.record(at(5), 100 * MILLI);
    assert_eq!(window.quantiles(at(59)).samples, 1);
    assert_eq!(window.quantiles(at(60)).samples, 0);
    window.record(at(65), 200 * MILLI);
    assert_eq!(window.quantiles(at(66)).samples, 1);
    window.record(at(5), 100 * MILLI);
    assert_eq!(window.quantiles(at(67)).samples, 1, "a thread that is a minute late changes nothing");
    assert_eq!(Window::new().quantiles(at(0)).p50(), None);
}

#[test]
fn cut_off_attempts_count_as_at_least_so_long() {
    let window = Window::new();
    for _ in 0..90 {
        window.record(at(1), 100 * MILLI);
    }
    for _ in 0..10 {
        window.record_at_least(at(1), 200 * MILLI);
    }
    let quantiles = window.quantiles(at(2));
    assert!(quantiles.p50().unwrap() < 120 * MILLI);
    assert_eq!((quantiles.p95(), quantiles.p99()), (None, None), "one in ten took longer than anybody saw");
    // Those that were cut off early say nothing about the rest.
    for _ in 0..1_000 {
        window.record_at_least(at(2), 10 * MILLI);
    }
    let quantiles = window.quantiles(at(3));
    assert!(quantiles.p50().unwrap() < 120 * MILLI && quantiles.p95().is_none());
}

#[test]
fn deadlines_follow_the_p99_between_their_bounds() {
    let adaptive = Adaptive::upto(Duration::from_secs(60));
    assert_eq!(adaptive.deadline(Quantiles::NONE), Duration::from_secs(60));
    let filled = |took: Duration, samples: u32| {
        let window = Window::new();
        for _ in 0..samples {
            window.record(at(1), took);
        }
        adaptive.deadline(window.quantiles(at(2)))
    };
    assert_eq!(filled(MILLI, 99), Duration::from_secs(60), "too few to know");
    assert_eq!(filled(MILLI, 100), Duration::from_secs(5));
    let eight = filled(Duration::from_secs(8), 100).as_secs_f32();
    assert!((16.0..18.1).contains(&eight), "{eight}");
    assert_eq!(filled(Duration::from_secs(500), 100), Duration::from_secs(60));
}

#[test]
fn threads_lose_nothing_within_a_slot() {
    let window = Window::new();
    window.record(at(1), MILLI);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1_000).for_each(|_| window.record(at(2), 7 * MILLI)));
        }
    });
    assert_eq!(window.quantiles(at(3)).samples, 4_001);
}
