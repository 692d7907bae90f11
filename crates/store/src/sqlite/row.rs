//! A database's row, its columns by name and as our types.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use types::{RunId, TraceId};

use crate::StoreError;

/// A row's columns by name, as our types.
pub(super) struct Columns<'a>(pub(super) &'a SqliteRow);

impl<'a> Columns<'a> {
    pub(super) fn get<T>(&self, column: &str) -> Result<T, StoreError>
    where
        T: sqlx::Decode<'a, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        self.0.try_get(column).map_err(StoreError::database("read a column"))
    }

    pub(super) fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T, StoreError> {
        let number: i64 = self.get(column)?;
        T::try_from(number).map_err(|_| StoreError::unreadable("number", number))
    }

    pub(super) fn name(&self, column: &str) -> Result<Option<Arc<str>>, StoreError> {
        Ok(self.get::<Option<String>>(column)?.map(Into::into))
    }

    /// A word that names one of an enum's variants.
    pub(super) fn word<T: for<'de> Deserialize<'de>>(&self, column: &str) -> Result<T, StoreError> {
        let text: &str = self.get(column)?;
        let word: StrDeserializer<'_, ValueError> = text.into_deserializer();
        T::deserialize(word).map_err(|error| StoreError::unreadable("word", error))
    }

    fn bytes(&self, column: &str) -> Result<Option<[u8; 16]>, StoreError> {
        let bytes = self.get::<Option<Vec<u8>>>(column)?;
        let exact = |bytes: Vec<u8>| bytes.try_into().map_err(|_| StoreError::unreadable("id", column));
        bytes.map(exact).transpose()
    }

    pub(super) fn run(&self, column: &str) -> Result<Option<RunId>, StoreError> {
        Ok(self.bytes(column)?.map(RunId::from_bytes))
    }

    pub(super) fn trace(&self, column: &str) -> Result<TraceId, StoreError> {
        let trace = self.bytes(column)?.and_then(TraceId::from_bytes);
        trace.ok_or_else(|| StoreError::unreadable("trace", "all zero"))
    }
}
