//! Configuration and catalogue from outside.

#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod given;
#[cfg(test)]
mod good;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod overrides;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod resolving;
#[cfg(test)]
mod staying_up;
#[cfg(test)]
mod wrong;
