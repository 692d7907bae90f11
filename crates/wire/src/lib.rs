//! Vendors' dialects to and from our vocabulary; SSE framing. Pure.
