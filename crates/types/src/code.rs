//! The codes of user-facing errors. Each has a section in `docs/book/reference/errors.md` that says what
//! happened and what to do; a tidy test keeps the two lists the same.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// A stable name for one way in which a call, a chain or a configuration can fail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// All codes, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// `WL` and four digits.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

codes! {
    // 1xxx: the request
    /// The body is not JSON.
    BadJson = "WL1001",
    /// The body is not UTF-8.
    BadUtf8 = "WL1002",
    /// The body is larger than `server.max_body`.
    BodyTooLarge = "WL1003",
    /// A field is missing or has the wrong type.
    BadField = "WL1004",
    /// No such model, route or provider.
    UnknownModel = "WL1005",
    /// The chosen provider cannot express a field of the request.
    Unsupported = "WL1006",
    /// No such path, or not with this method.
    UnknownPath = "WL1007",
    /// Header section too large or malformed.
    BadHeaders = "WL1008",
    /// The caller sent its request too slowly.
    SlowCaller = "WL1009",
    /// The prompt does not fit the model's context.
    ContextTooLong = "WL1010",
    /// The body has a content coding that is not known, or is not what its coding says.
    BadCoding = "WL1011",
    /// A name that the caller gives is longer than names are kept.
    NameTooLong = "WL1012",
    // 2xxx: who may
    /// No key, or one that is not known.
    BadKey = "WL2001",
    /// The key may not do this.
    Forbidden = "WL2002",
    // 3xxx: limits
    /// The provider's rate limit.
    RateLimited = "WL3001",
    /// This process has no room left for another call.
    Overloaded = "WL3002",
    /// The provider says that its quota or credit is used up.
    QuotaExceeded = "WL3003",
    /// The process is stopping and takes no new work.
    Stopping = "WL3004",
    /// A limit of the operator's.
    LimitExceeded = "WL3005",
    /// As many calls of this tenant are running as may run at once.
    TenantFull = "WL3006",
    // 4xxx: the provider
    /// The provider could not be reached.
    Unreachable = "WL4001",
    /// A deadline passed before the provider answered.
    Timeout = "WL4002",
    /// The provider answered with an error of its own.
    ProviderError = "WL4003",
    /// The provider's answer could not be understood.
    BadAnswer = "WL4004",
    /// The stream ended before its end marker.
    StreamCut = "WL4005",
    /// The stream went silent for longer than the idle deadline.
    StreamStalled = "WL4006",
    /// The provider refused our credentials.
    ProviderKey = "WL4007",
    /// The provider refused the request for its content.
    ContentFiltered = "WL4008",
    /// The local model's server could not be found or started.
    LocalModel = "WL4009",
    /// Asked to go on with an answer, the model answered otherwise.
    StreamDiverged = "WL4010",
    // 5xxx: chains and runs
    /// The chain file is not valid.
    BadChain = "WL5001",
    /// Steps wait for each other in a circle.
    ChainCycle = "WL5002",
    /// A variable is missing.
    MissingVariable = "WL5003",
    /// A template could not be rendered, or did too much.
    BadTemplate = "WL5004",
    /// A step failed, so the run did.
    StepFailed = "WL5005",
    /// No such run, or it cannot be resumed.
    UnknownRun = "WL5006",
    /// The run passed its limit of cost or time.
    RunLimit = "WL5007",
    /// A step's output does not fit its schema.
    BadOutput = "WL5008",
    /// No such chain.
    UnknownChain = "WL5009",
    // 6xxx: configuration
    /// The configuration is not valid.
    BadConfig = "WL6001",
    /// The address to serve at cannot be listened on.
    CannotListen = "WL6002",
    // 9xxx: ourselves
    /// A bug of ours; the call ended, the process goes on.
    Internal = "WL9001",
    /// The local disk takes no more ledger rows.
    SpoolFull = "WL9002",
    /// The database could not be read or written.
    Database = "WL9003",
    /// The caller went away or cancelled.
    Cancelled = "WL9004",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let known = Self::ALL.iter().find(|code| code.as_str() == text);
        known.copied().ok_or_else(|| serde::de::Error::custom("not a known WL code"))
    }
}
