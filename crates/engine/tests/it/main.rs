//! The call path and the chain runner against scripted vendors on real sockets.

mod answers;
mod house;
mod runs;
mod streams;
