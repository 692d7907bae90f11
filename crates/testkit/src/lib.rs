//! What tests are built with: the scripted vendor and the fault wall, which live in `wall` because the program
//! uses them too (`windlass certify`). Tests take them from here. And real services, started for one test.

mod redis;
mod redis_ways;

pub use redis::{Cable, Redis};
pub use redis_ways::{RedisCluster, TlsRedis};
pub use wall::{
    Answer, Closed, Fault, Framing, Gate, Request, Script, Vendor, Visits, Wall, Way, anthropic, openai,
};
