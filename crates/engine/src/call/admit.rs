//! Who is calling, and may they? Limits and budgets will be taken here, all or none.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use policy::bulkhead::Kind as Bulkhead;
use types::{Code, Fault, Kind, Moment, Priority, RunId};

use crate::Engine;
use crate::call::plan::bounded;
use crate::call::tally::Tally;
use crate::call::{Admitted, Parsed};
use crate::engine::stopping;
use crate::ids;
use crate::line::Standing;

/// What the request's headers said, already taken apart.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// The key that the caller showed; not to be logged.
    pub key: Option<config::Secret>,
    /// The tenant that it named; counts only where keys are off or the key is an administrator's.
    pub tenant: Option<Arc<str>>,
    /// The end user that it named.
    pub user: Option<Arc<str>>,
    /// The longest that it wants to wait.
    pub deadline: Option<Duration>,
    /// How much it matters; `None`: as much as most.
    pub priority: Option<Priority>,
    /// The least service that it accepts.
    pub floor: Option<policy::degrade::Level>,
    /// What the call is for: a task's name, or `none`. Comes before what the body says.
    pub task: Option<Arc<str>>,
    /// The performance profile that it wants: a profile's name, `adaptive` or `none`. Likewise.
    pub profile: Option<Arc<str>>,
    /// The trace that the call belongs to.
    pub trace: Option<telemetry::trace::Context>,
    /// What came along with the trace; boxed, because few calls have it.
    pub along: Option<Box<Along>>,
    /// Headers of the dialect that the provider should see.
    pub passed: Vec<(HeaderName, HeaderValue)>,
    /// The chain step that this call is. Steps were admitted with their run.
    pub step: Option<Step>,
    /// Who it is, where [`Engine::identify`] was asked before: a key is digested once a call.
    pub who: Option<Who>,
    /// Whether the operator calls, from the command line or the library: whoever can read the configuration
    /// needs no key of it.
    pub operator: bool,
}

/// W3C's other headers of a trace.
#[derive(Clone, Debug, Default)]
pub struct Along {
    /// What its vendors say of it; counts only with a trace.
    pub tracestate: Option<HeaderValue>,
    /// What the application says along with it: passed on where the operator says so.
    pub baggage: Option<HeaderValue>,
}

impl Head {
    /// The head of a call that the operator makes on this machine: no key is asked for.
    pub fn local() -> Self {
        Self { operator: true, ..Self::default() }
    }
}

/// The step of a run that a call serves.
#[derive(Clone, Debug)]
pub struct Step {
    /// The run.
    pub run: RunId,
    /// The step's name.
    pub name: Arc<str>,
    /// Who started the run.
    pub who: Who,
    /// How often it is asked, where the chain says.
    pub retry: Option<policy::retry::Policy>,
    /// Why it is to be ended now, once it is. Whoever sets this wakes the call.
    pub ended: Arc<OnceLock<Fault>>,
}

/// A caller that is known.
#[derive(Clone, Debug, Default)]
pub struct Who {
    /// The name of its key; `None` where keys are off.
    pub key: Option<Arc<str>>,
    /// Whose calls these are.
    pub tenant: Option<Arc<str>>,
    /// The end user.
    pub user: Option<Arc<str>>,
    /// What its key allows.
    pub allowed: Option<Arc<config::Allowed>>,
    /// Whether it may administer.
    pub admin: bool,
}

impl Engine {
    /// Who shows `head`. An error where keys are on and this one is not known.
    pub fn identify(&self, head: &Head) -> Result<Who, Fault> {
        if let Some(step) = &head.step {
            return Ok(step.who.clone());
        }
        if let Some(who) = &head.who {
            return Ok(who.clone());
        }
        let snapshot = self.snapshot();
        if head.operator || !snapshot.needs_key() {
            return Ok(Who {
                tenant: head.tenant.clone(),
                user: head.user.clone(),
                admin: true,
                ..Who::default()
            });
        }
        let Some(shown) = &head.key else {
            return Err(bad_key("no API key was shown"));
        };
        let Some(key) = snapshot.key(&config::access::digest(shown.expose())) else {
            return Err(bad_key("the API key is not known"));
        };
        let named = head.tenant.clone().filter(|_| key.admin);
        Ok(Who {
            key: Some(Arc::clone(&key.name)),
            tenant: named.or_else(|| Some(Arc::clone(&key.tenant))),
            user: head.user.clone(),
            allowed: Some(Arc::clone(&key.allowed)),
            admin: key.admin,
        })
    }

    /// Whether new work is taken, and if not, why.
    pub fn readiness(&self) -> Result<(), Fault> {
        if self.is_stopping() {
            return Err(stopping("this process is stopping"));
        }
        if self.spool_is_full() {
            self.metrics().spool_refused();
            let message = "the local disk takes no more ledger rows, so no call can be accounted for";
            return Err(Fault::new(Kind::ResourceExhausted, Code::SpoolFull, message)
                .with_hint("free space under storage.spool, or raise storage.spool_max"));
        }
        Ok(())
    }

    pub(super) fn admit<'a>(&self, parsed: Parsed<'a>, tally: &mut Tally) -> Result<Admitted<'a>, Fault> {
        let head = &parsed.inbound.head;
        let mut who = self.identify(head)?;
        if who.user.is_none() {
            let user = parsed.peek.user.as_deref();
            user.map_or(Ok(()), |user| bounded("user", user))?;
            who.user = user.map(Arc::from);
        }
        let snapshot = self.snapshot();
        let overload = snapshot.overload();
        // The steps of a run that was taken on are let finish.
        if let Some(step) = &head.step {
            tally.hold(overload.enter(Bulkhead::Step, &step.name, parsed.began)?);
        } else {
            self.readiness()?;
            overload.admit(head.priority.unwrap_or_default(), self.calls_in_flight())?;
            if let Some(tenant) = &who.tenant {
                tally.hold(overload.enter(Bulkhead::Tenant, tenant, parsed.began)?);
            }
        }
        Ok(Admitted { parsed, snapshot, who })
    }
}

/// What a call's rank in a line is made of.
pub(super) fn standing(who: &Who, now: Moment) -> Standing {
    const HOUR: u64 = 3_600_000_000_000;
    // The same for an hour, so that under overload some users are served well instead of all badly.
    let user = |name: &Arc<str>| ids::hash(name.bytes().chain((now.as_nanos() / HOUR).to_le_bytes()));
    Standing {
        tenant: who.tenant.as_ref().map(|tenant| ids::hash(tenant.bytes())),
        user: who.user.as_ref().map(user),
    }
}

fn bad_key(message: &str) -> Fault {
    Fault::new(Kind::Authentication, Code::BadKey, message)
        .with_hint("send a key of this gateway as `Authorization: Bearer wl_…` or `x-api-key`")
}
