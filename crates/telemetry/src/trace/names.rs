//! Names of attributes. The GenAI ones are the constants of the semantic conventions; those that begin with
//! `chain.`, `step.` and `retry.` come from the product's seeds; our own begin with `windlass.`.

pub(super) use opentelemetry_semantic_conventions::attribute::{
    ERROR_TYPE, HTTP_RESPONSE_STATUS_CODE, SERVER_ADDRESS, SERVER_PORT, SERVICE_VERSION,
};

#[expect(
    deprecated,
    reason = "the GenAI names moved to a repository of their own that has no Rust constants; the names hold"
)]
mod gen_ai {
    use opentelemetry_semantic_conventions::attribute;

    pub(in crate::trace) const GEN_AI_OPERATION_NAME: &str = attribute::GEN_AI_OPERATION_NAME;
    pub(in crate::trace) const GEN_AI_PROVIDER_NAME: &str = attribute::GEN_AI_PROVIDER_NAME;
    pub(in crate::trace) const GEN_AI_REQUEST_MODEL: &str = attribute::GEN_AI_REQUEST_MODEL;
    pub(in crate::trace) const GEN_AI_REQUEST_STREAM: &str = attribute::GEN_AI_REQUEST_STREAM;
    pub(in crate::trace) const GEN_AI_RESPONSE_FINISH_REASONS: &str =
        attribute::GEN_AI_RESPONSE_FINISH_REASONS;
    pub(in crate::trace) const GEN_AI_RESPONSE_MODEL: &str = attribute::GEN_AI_RESPONSE_MODEL;
    pub(in crate::trace) const GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: &str =
        attribute::GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK;
    pub(in crate::trace) const GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS: &str =
        attribute::GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS;
    pub(in crate::trace) const GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: &str =
        attribute::GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS;
    pub(in crate::trace) const GEN_AI_USAGE_INPUT_TOKENS: &str = attribute::GEN_AI_USAGE_INPUT_TOKENS;
    pub(in crate::trace) const GEN_AI_USAGE_OUTPUT_TOKENS: &str = attribute::GEN_AI_USAGE_OUTPUT_TOKENS;
    pub(in crate::trace) const GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: &str =
        attribute::GEN_AI_USAGE_REASONING_OUTPUT_TOKENS;
    pub(in crate::trace) const GEN_AI_WORKFLOW_NAME: &str = attribute::GEN_AI_WORKFLOW_NAME;
}

pub(super) use gen_ai::{
    GEN_AI_OPERATION_NAME, GEN_AI_PROVIDER_NAME, GEN_AI_REQUEST_MODEL, GEN_AI_REQUEST_STREAM,
    GEN_AI_RESPONSE_FINISH_REASONS, GEN_AI_RESPONSE_MODEL, GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK,
    GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS, GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS,
    GEN_AI_USAGE_INPUT_TOKENS, GEN_AI_USAGE_OUTPUT_TOKENS, GEN_AI_USAGE_REASONING_OUTPUT_TOKENS,
    GEN_AI_WORKFLOW_NAME,
};

pub(super) const CHAIN_COST: &str = "chain.total_cost_usd";
pub(super) const CHAIN_ID: &str = "chain.id";
pub(super) const CHAIN_NAME: &str = "chain.name";
pub(super) const CHAIN_STATUS: &str = "chain.status";
pub(super) const CHAIN_STEPS: &str = "windlass.chain.steps";
pub(super) const CHAIN_TOKENS: &str = "chain.total_tokens";
pub(super) const RETRY_ATTEMPTS: &str = "retry.attempts";
pub(super) const STEP_NAME: &str = "step.name";
pub(super) const STEP_STATUS: &str = "step.status";

pub(super) const ATTEMPT: &str = "windlass.attempt";
pub(super) const ATTEMPTS: &str = "windlass.attempts";
pub(super) const CALL: &str = "windlass.call.id";
pub(super) const CALLER: &str = "windlass.caller";
pub(super) const CODE: &str = "windlass.code";
pub(super) const CONNECT: &str = "windlass.connect_seconds";
pub(super) const COST: &str = "windlass.cost_usd";
pub(super) const DIALECT: &str = "windlass.dialect";
pub(super) const FALLBACK: &str = "windlass.fallback";
pub(super) const SEAM_BYTES: &str = "windlass.seam.bytes";
pub(super) const SEAM_HOW: &str = "windlass.seam.how";
pub(super) const FIRST_BYTE: &str = "windlass.first_byte_seconds";
pub(super) const INPUT_TOKENS: &str = "windlass.input_tokens";
pub(super) const OUTCOME: &str = "windlass.outcome";
pub(super) const OUTPUT_TOKENS: &str = "windlass.output_tokens";
pub(super) const SIMULATED: &str = "windlass.simulated";
pub(super) const TENANT: &str = "windlass.tenant";
pub(super) const USAGE_SOURCE: &str = "windlass.usage_source";
