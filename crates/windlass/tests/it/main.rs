//! The program from outside: it is started as users start it, and spoken to over its sockets, its files and
//! its command line. What the rooms promise by themselves is tested in the rooms.

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod client;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod files;
#[cfg(test)]
mod house;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod judges;
#[cfg(test)]
mod judges_responses;
#[cfg(test)]
mod judges_simulators;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod large;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod passing;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod replicas;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod sdk;
#[cfg(test)]
mod seen;
#[cfg(test)]
mod slow;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod wall;
