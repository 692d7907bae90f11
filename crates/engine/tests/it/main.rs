//! The call path and the chain runner against scripted vendors on real sockets.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod continuing;
#[cfg(test)]
mod counted;
#[cfg(test)]
mod counting;
#[cfg(test)]
mod house;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod overload;
#[cfg(test)]
mod panics;
#[cfg(test)]
mod patient;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod responses;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod staying_up;
#[cfg(test)]
mod streams;
