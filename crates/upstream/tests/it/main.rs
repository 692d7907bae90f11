//! Providers as their callers see them, against real servers on loopback.

#[cfg(test)]
mod calls;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod http1;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod local;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod simulated_faults;
#[cfg(test)]
mod tls;
