//! What the language, its diagnostics and the machine promise.

#[cfg(test)]
mod agree;
#[cfg(test)]
mod bombs;
#[cfg(test)]
mod given;
#[cfg(test)]
mod language;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod problems;
#[cfg(test)]
mod results;
