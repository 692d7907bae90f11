//! The chain language: parse, check, plan, step machine. Pure.
