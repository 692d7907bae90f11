//! Ports as traits, and their sides: spool, SQLite.
