//! How many calls a deployment has at once, and who waits for a place there.

use std::sync::Arc;
use std::time::Duration;

use policy::concurrency::{Limiter, Permit, Refused, Report};
use policy::limit::{Place as Spot, QueueSettings};
use policy::shed::{self, Shedder};
use types::Moment;
use upstream::clock;

use crate::line::{Gate, InVain, Line, Standing};

/// Two calls that both found no place look again after this long at the latest.
const MEANWHILE: Duration = Duration::from_millis(250);

/// The places of one deployment.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Line<Places>>);

#[derive(Debug)]
struct Places(Arc<Limiter>);

/// A place among a deployment's calls; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    /// Gone only while being dropped.
    permit: Option<Permit>,
    room: Room,
    obey: bool,
}

/// No place now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    /// When it is worth asking again.
    pub(crate) until: Moment,
    /// Whether the provider has said so, whatever place there is here.
    pub(crate) told: bool,
}

impl Gate for Places {
    /// Expected tokens.
    type Ask = u64;
    type Grant = Permit;

    async fn take(&self, tokens: &u64) -> Result<Permit, Option<Duration>> {
        self.0.acquire(*tokens, clock::now()).map_err(|refused| match refused {
            Refused::Full { .. } => None,
            Refused::Paced { wait } => Some(wait),
        })
    }
}

impl Room {
    pub(super) fn new(settings: config::overload::Concurrency, shed: Option<shed::Settings>) -> Self {
        let queue = QueueSettings {
            capacity: usize::try_from(settings.queue).unwrap_or(usize::MAX),
            ..QueueSettings::default()
        };
        let shedder = shed.map(|shed| Shedder::new(shed, settings.wait));
        Self(Arc::new(Line::new(Places(Arc::new(Limiter::new(settings.settings))), queue, shedder)))
    }

    pub(crate) fn limiter(&self) -> &Limiter {
        &self.0.gate().0
    }

    /// How many wait for a place.
    pub(crate) fn waiting(&self) -> usize {
        self.0.waiting()
    }

    /// Calls shed so far.
    pub(crate) fn shed(&self) -> u64 {
        self.0.shed()
    }

    /// A place at once, for a call of so many tokens; not before those who wait.
    pub(crate) fn enter(&self, tokens: u64, obey: bool, now: Moment) -> Result<Place, Full> {
        if self.0.waiting() > 0 {
            return Err(Full { until: now + MEANWHILE, told: self.0.gate().0.is_paced(tokens, now) });
        }
        match self.0.gate().0.acquire(tokens, now) {
            Ok(permit) => Ok(self.place(permit, obey)),
            Err(Refused::Full { .. }) => Err(Full { until: now + MEANWHILE, told: false }),
            Err(Refused::Paced { wait }) => Err(Full { until: now + wait, told: true }),
        }
    }

    /// A place, as soon as it is this call's turn; without a `standing` it is not shed.
    pub(crate) async fn wait(
        &self,
        (tokens, obey): (u64, bool),
        spot: Spot,
        standing: Option<Standing>,
    ) -> Result<Place, InVain> {
        Ok(self.place(self.0.wait(tokens, spot, standing).await?, obey))
    }

    /// Uses only `percent` of its limit.
    pub(crate) fn scale(&self, percent: u32) {
        self.limiter().scale(percent);
        self.0.stir();
    }

    fn place(&self, permit: Permit, obey: bool) -> Place {
        Place { permit: Some(permit), room: self.clone(), obey }
    }
}

impl Place {
    /// What the provider's headers said of its own limits.
    pub(crate) fn report(&self, report: &Report, now: Moment) {
        if let (Some(permit), true) = (&self.permit, self.obey) {
            permit.report(report, now);
        }
    }

    /// The first content came after so long.
    pub(crate) fn first_token(&mut self, took: Duration) {
        if let Some(permit) = &mut self.permit {
            permit.first_token(took);
        }
    }

    /// Nothing is sent after all.
    pub(crate) fn unsent(mut self) {
        if let Some(permit) = self.permit.take() {
            permit.unsent();
        }
    }

    /// The answer is complete.
    pub(crate) fn finish(mut self, now: Moment) {
        if let Some(permit) = self.permit.take() {
            permit.finish(now);
        }
    }

    /// The provider had too much to do, or said nothing.
    pub(crate) fn overloaded(mut self, now: Moment) {
        if let Some(permit) = self.permit.take() {
            permit.overloaded(now);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.room.0.stir();
    }
}
