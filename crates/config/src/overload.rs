//! What this process does when there is more to do than it, or a provider, can take: `overload`.

use policy::bulkhead::Kind;
use policy::{concurrency, load, memory, shed};
use std::time::Duration;

/// The section `overload`.
#[derive(Clone, Debug, PartialEq)]
pub struct Overload {
    /// Calls that run at once in this process.
    pub max_calls: u32,
    /// How many run at once on each model of each provider, and how long one waits for a place.
    pub concurrency: Concurrency,
    /// Refusing the least important of the calls that wait too long for a place; `None`: never.
    pub shed: Option<shed::Settings>,
    /// Fewer calls, and then none of low priority, when memory is nearly used up; `None`: no guard.
    pub memory: Option<Memory>,
    /// Load levels and what each allows; `None`: not looked at.
    pub load: Option<Load>,
    /// Whether calls are served worse rather than refused when load or memory say so.
    pub degrade: bool,
    /// How many calls at once each step of a chain, each provider and each tenant may have.
    pub bulkheads: Bulkheads,
}

/// The limit of calls at once on a deployment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Concurrency {
    /// How the limit is found.
    pub settings: concurrency::Settings,
    /// Whether what a provider's headers say of its own limits is obeyed before it refuses.
    pub obey: bool,
    /// The longest wait for a place.
    pub wait: Duration,
    /// Calls that may wait on one deployment.
    pub queue: u32,
}

/// The memory guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Bytes that this process may use; `None`: what its control group or the machine has.
    pub limit: Option<u64>,
    /// The marks.
    pub settings: memory::Settings,
}

/// Load levels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// How often load is read.
    pub every: Duration,
    /// When levels change.
    pub settings: load::Settings,
    /// What each allows.
    pub allowances: load::Allowances,
}

/// Sizes of the bulkheads; `None`: unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bulkheads {
    /// Of each step of each chain.
    pub step: Option<u32>,
    /// Of each provider.
    pub provider: Option<u32>,
    /// Of each tenant.
    pub tenant: Option<u32>,
}

impl Bulkheads {
    /// The size of a compartment of this kind.
    pub const fn size(&self, kind: Kind) -> Option<u32> {
        match kind {
            Kind::Step => self.step,
            Kind::Provider => self.provider,
            Kind::Tenant => self.tenant,
        }
    }
}
