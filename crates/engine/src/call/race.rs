//! A backup beside an attempt that is slow (B11): both run in the call's own task, the first content wins, and
//! the other one is cancelled by being dropped. When and whether is `policy::hedge`'s business.

use std::pin::pin;

use futures_util::future::{Either, select};
use policy::attempt::Machine;
use policy::health::Known;
use types::Fault;
use upstream::clock;

use crate::Engine;
use crate::call::Planned;
use crate::call::attempt::Got;
use crate::call::outgoing::Maker;
use crate::call::permissions::Permissions;
use crate::call::tally::Tally;
use crate::call::trial::Trial;

/// What came of two: whose result it is, the result, and the fault of the other, if it fell before.
struct Outcome {
    backup_won: bool,
    result: Result<Got, Fault>,
    fell: Option<Fault>,
}

impl Engine {
    /// `first` up to its first content, or its backup's. Gives the one whose result it is; the other is settled.
    pub(super) async fn race<'a, F: Fn(usize) -> Option<Known<'a>>>(
        &self,
        (planned, maker): (&Planned<'_>, &Maker),
        (mut first, tally): (Trial, &mut Tally),
        machine: &mut Machine,
        may: &mut Permissions<'a, F>,
    ) -> (Trial, Result<Got, Fault>) {
        let patience = first.send.hedge_at.map(clock::instant);
        let mut backup = None;
        let outcome = {
            let mut one = pin!(self.once(planned, maker, &mut first));
            let early = match patience {
                Some(by) => tokio::time::timeout_at(by, one.as_mut()).await.ok(),
                None => Some(one.as_mut().await),
            };
            match early {
                Some(result) => Outcome { backup_won: false, result, fell: None },
                None => match machine.slow(clock::now(), may) {
                    None => Outcome { backup_won: false, result: one.await, fell: None },
                    Some(send) => {
                        let (early, granted) = {
                            let granted = pin!(self.holdings(planned, send.target, tally, may));
                            match select(one.as_mut(), granted).await {
                                Either::Left((result, _)) => (Some(result), None),
                                Either::Right((granted, _)) => (None, granted.ok()),
                            }
                        };
                        let begun = granted.and_then(|granted| {
                            let target = planned.plan.targets.get(send.target)?;
                            Some(Trial::begin(self, planned, (target, send), (granted, tally)))
                        });
                        if let Some(second) = begun {
                            let two = self.once(planned, maker, backup.insert(second));
                            quicker(one, pin!(two)).await
                        } else {
                            machine.no_backup();
                            self.metrics().hedge_denied();
                            may.no_backup();
                            let result = match early {
                                Some(result) => result,
                                None => one.await,
                            };
                            Outcome { backup_won: false, result, fell: None }
                        }
                    }
                },
            }
        };
        let Some(second) = backup else { return (first, outcome.result) };
        let (winner, loser) = if outcome.backup_won { (second, first) } else { (first, second) };
        if let Some(fault) = &outcome.fell {
            machine.fell(loser.send.attempt, fault);
        }
        let settled = loser.beaten();
        tally.spent(&settled);
        may.settle_backup(settled.cost);
        (winner, outcome.result)
    }
}

/// The first content of either. Who fails is out; what comes of the call is the other's business.
async fn quicker<A, B>(one: A, two: B) -> Outcome
where
    A: Future<Output = Result<Got, Fault>> + Unpin,
    B: Future<Output = Result<Got, Fault>> + Unpin,
{
    match select(one, two).await {
        Either::Left((Ok(got), _)) => Outcome { backup_won: false, result: Ok(got), fell: None },
        Either::Right((Ok(got), _)) => Outcome { backup_won: true, result: Ok(got), fell: None },
        Either::Left((Err(fault), two)) => Outcome { backup_won: true, result: two.await, fell: Some(fault) },
        Either::Right((Err(fault), one)) => {
            Outcome { backup_won: false, result: one.await, fell: Some(fault) }
        }
    }
}
