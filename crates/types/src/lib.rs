//! The vocabulary: messages, usage, money, ids, deadlines, faults. Pure.
