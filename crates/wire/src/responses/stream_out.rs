//! Writes a stream of typed events.

use bytes::BytesMut;
use types::chat::Event;

use crate::codec::AnswerMeta;

/// Writes one stream.
#[derive(Clone, Debug)]
pub(crate) struct Writer {}

impl Writer {
    pub(crate) fn new(_meta: &AnswerMeta<'_>) -> Self {
        Self {}
    }

    /// Appends what the event is in this dialect.
    pub(crate) fn event(&mut self, _event: &Event, _out: &mut BytesMut) {}
}
