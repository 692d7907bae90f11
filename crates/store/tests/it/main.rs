//! The crate from outside: spool, drain, ledger and journal on real files, limits in a real Redis.

#[cfg(test)]
mod drain;
#[cfg(test)]
mod journal;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod limits_away;
#[cfg(test)]
mod limits_reached;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod responses;
#[cfg(test)]
mod run;
#[cfg(test)]
mod sample;
