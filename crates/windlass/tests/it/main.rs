//! The program from outside: it is started as users start it, and spoken to over its sockets, its files and
//! its command line. What the rooms promise by themselves is tested in the rooms.

mod accounts;
mod client;
mod files;
mod house;
mod kills;
mod refusals;
mod reload;
mod runs;
mod sdk;
mod seen;
mod streams;
