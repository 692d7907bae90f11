//! A bounded map from names to shared state: what limits per tenant, user or key live in.
//!
//! Reading takes one shared lock of one shard. A new name beyond the capacity pushes out the least recently
//! used *idle* entry; only where none is idle the one that is nearest to it. Losing an idle entry loses
//! nothing: a fresh one is the same.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use types::Moment;

/// What the map must know about its values.
pub trait Idle {
    /// How long until losing this value would lose nothing; zero if so now.
    fn busy_for(&self, now: Moment) -> Duration;
}

/// 128 bits that stand for a name. Two names share them by chance once in 2⁶⁴ names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// The fingerprint of `name` in the space `space`. `seed` is the process's own, so that nobody outside
    /// can prepare names that meet.
    pub fn of(space: u64, name: &str, seed: u64) -> Self {
        let half = |salt: u64| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(seed ^ salt);
            hasher.write_u64(space);
            hasher.write(name.as_bytes());
            hasher.finish()
        };
        Self(u128::from(half(0)) << 64 | u128::from(half(0x9E37_79B9_7F4A_7C15)))
    }
}

/// A fingerprint is a hash already.
#[derive(Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "64 of the 128 bits are enough to spread")]
    fn write_u128(&mut self, value: u128) {
        self.0 = value as u64;
    }
}

/// A value and when it was last asked for.
#[derive(Debug)]
pub struct Entry<V> {
    /// The value.
    pub value: V,
    touched: AtomicU64,
}

type Shard<V> = RwLock<HashMap<u128, Arc<Entry<V>>, BuildHasherDefault<Ready>>>;

/// The map.
#[derive(Debug)]
pub struct Keyed<V> {
    shards: Box<[Shard<V>]>,
    per_shard: usize,
}

/// Shards of a big map. A power of two.
const SHARDS: usize = 64;

impl<V: Idle> Keyed<V> {
    /// A map for at most about `capacity` names (at least one; rounded up to whole shards).
    pub fn new(capacity: usize) -> Self {
        let shards = if capacity < SHARDS * 8 { 1 } else { SHARDS };
        Self {
            shards: (0..shards).map(|_| Shard::default()).collect(),
            per_shard: capacity.div_ceil(shards).max(1),
        }
    }

    /// How many names are held.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    /// Whether no name is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of `name`, made by `make` if it is new. Allocates only for a new name.
    pub fn get(&self, name: Fingerprint, now: Moment, make: impl FnOnce() -> V) -> Arc<Entry<V>> {
        let shard = self.shard(name);
        if let Some(found) = shard.read().unwrap_or_else(PoisonError::into_inner).get(&name.0) {
            found.touched.fetch_max(now.as_nanos(), Ordering::Relaxed);
            return Arc::clone(found);
        }
        let mut held = shard.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = held.get(&name.0) {
            return Arc::clone(found);
        }
        if held.len() >= self.per_shard {
            make_room(&mut held, now);
        }
        let entry = Arc::new(Entry { value: make(), touched: AtomicU64::new(now.as_nanos()) });
        held.insert(name.0, Arc::clone(&entry));
        entry
    }

    /// Calls `see` with every value; shard by shard, so the picture is not of one instant.
    pub fn each(&self, mut see: impl FnMut(&V)) {
        for shard in &self.shards {
            for entry in shard.read().unwrap_or_else(PoisonError::into_inner).values() {
                see(&entry.value);
            }
        }
    }

    fn shard(&self, name: Fingerprint) -> &Shard<V> {
        let index = usize::try_from(name.0 >> 96).unwrap_or(0) % self.shards.len();
        self.shards.get(index).unwrap_or(&self.shards[0])
    }
}

/// Pushes out an eighth of the shard, idle entries only and the longest unused first, so that the walk over
/// the shard is paid once for many newcomers; or the single one that is nearest to idle.
fn make_room<V: Idle, S: std::hash::BuildHasher>(held: &mut HashMap<u128, Arc<Entry<V>>, S>, now: Moment) {
    let mut idle = Vec::new();
    let mut nearest: Option<(Duration, u64, u128)> = None;
    for (name, entry) in held.iter() {
        // Who holds the entry still has something to give back to it.
        let busy = if Arc::strong_count(entry) > 1 { Duration::MAX } else { entry.value.busy_for(now) };
        let touched = entry.touched.load(Ordering::Relaxed);
        if busy.is_zero() {
            idle.push((touched, *name));
        } else if nearest.is_none_or(|best| (busy, touched, *name) < best) {
            nearest = Some((busy, touched, *name));
        }
    }
    if idle.is_empty() {
        if let Some((_, _, name)) = nearest {
            held.remove(&name);
        }
        return;
    }
    let out = (held.len() / 8).clamp(1, idle.len());
    idle.select_nth_unstable(out - 1);
    for (_, name) in idle.iter().take(out) {
        held.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Busy(u64);

    impl Idle for Busy {
        fn busy_for(&self, now: Moment) -> Duration {
            Moment::from_nanos(self.0).since(now)
        }
    }

    fn name(number: u64) -> Fingerprint {
        Fingerprint::of(0, &number.to_string(), 7)
    }

    #[test]
    fn idle_entries_go_first_and_the_longest_unused_of_them() {
        let map = Keyed::new(4);
        for (number, until) in [(0, 900), (1, 0), (2, 0), (3, 800)] {
            map.get(name(number), Moment::from_nanos(number), || Busy(until));
        }
        map.get(name(1), Moment::from_nanos(50), || Busy(1));
        map.get(name(4), Moment::from_nanos(60), || Busy(700));
        let mut made = Vec::new();
        for number in [0, 1, 3, 4] {
            map.get(name(number), Moment::from_nanos(61), || {
                made.push(number);
                Busy(0)
            });
        }
        assert_eq!(made, Vec::<u64>::new(), "only 2 was pushed out");
    }

    #[test]
    fn it_stays_bounded_when_nothing_is_idle() {
        let map = Keyed::new(4);
        for number in 0..100 {
            map.get(name(number), Moment::from_nanos(number), || Busy(10_000 - number));
        }
        assert_eq!(map.len(), 4);
    }

    #[test]
    fn a_big_map_is_bounded_too() {
        let map = Keyed::new(1024);
        for number in 0..20_000 {
            map.get(name(number), Moment::from_nanos(number), || Busy(0));
        }
        assert!(map.len() <= 1024 && map.len() > 700, "{}", map.len());
    }
}
