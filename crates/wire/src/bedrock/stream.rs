//! Reads the events of a stream in Bedrock's dialect.

use types::Fault;

use crate::piece::Piece;
use crate::said::Said;
use crate::sse::SseEvent;

/// What must be remembered from event to event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reader {}

impl Reader {
    pub(crate) fn read<'a, T: Piece<'a>>(
        &mut self,
        _event: SseEvent<'a>,
        _on: impl FnMut(Said<'a, T>),
    ) -> Result<(), Fault> {
        Err(Fault::internal("this dialect is not here yet"))
    }
}
