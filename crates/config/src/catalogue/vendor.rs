//! Whose price list holds for a provider: told by the operator, or by the address.

use std::borrow::Cow;

use crate::BaseUrl;

/// Whose price list holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Vendor {
    /// The catalogue's provider of this name, `openai` or `groq`, and what belongs to it.
    Named(Cow<'static, str>),
    /// A server of nobody we know: only a model name that is unmistakable has a list price.
    Unknown,
    /// Nobody's: no list price ever holds.
    None,
}

/// Hosts, or ends of hosts, and the vendor behind them.
const HOSTS: &[(&str, &str)] = &[
    ("api.openai.com", "openai"),
    ("api.anthropic.com", "anthropic"),
    ("api.groq.com", "groq"),
    ("api.deepseek.com", "deepseek"),
    ("api.mistral.ai", "mistral"),
    ("codestral.mistral.ai", "codestral"),
    ("api.together.xyz", "together_ai"),
    ("api.together.ai", "together_ai"),
    ("api.fireworks.ai", "fireworks_ai"),
    ("api.x.ai", "xai"),
    ("api.perplexity.ai", "perplexity"),
    ("api.deepinfra.com", "deepinfra"),
    ("api.cerebras.ai", "cerebras"),
    ("api.sambanova.ai", "sambanova"),
    ("api.cohere.com", "cohere"),
    ("api.cohere.ai", "cohere"),
    ("api.ai21.com", "ai21"),
    ("api.moonshot.ai", "moonshot"),
    ("api.moonshot.cn", "moonshot"),
    ("api.minimax.io", "minimax"),
    ("api.z.ai", "zai"),
    ("api.novita.ai", "novita"),
    ("api.hyperbolic.xyz", "hyperbolic"),
    ("api.lambda.ai", "lambda_ai"),
    ("api.voyageai.com", "voyage"),
    ("api.studio.nebius.com", "nebius"),
    ("api.studio.nebius.ai", "nebius"),
    ("api.tokenfactory.nebius.com", "nebius"),
    ("inference.baseten.co", "baseten"),
    ("api.inference.wandb.ai", "wandb"),
    ("ai-gateway.vercel.sh", "vercel_ai_gateway"),
    ("aihubmix.com", "aihubmix"),
    ("api.morphllm.com", "morph"),
    ("api.v0.dev", "v0"),
    ("api.publicai.co", "publicai"),
    ("api.friendli.ai", "friendliai"),
    ("api.scaleway.ai", "scaleway"),
    ("generativelanguage.googleapis.com", "gemini"),
    ("aiplatform.googleapis.com", "vertex_ai"),
    ("dashscope.aliyuncs.com", "dashscope"),
    ("dashscope-intl.aliyuncs.com", "dashscope"),
    (".openai.azure.com", "azure"),
    (".services.ai.azure.com", "azure_ai"),
    (".cloud.databricks.com", "databricks"),
    (".snowflakecomputing.com", "snowflake"),
];

/// Names under which the catalogue keeps more models of a vendor.
const FAMILIES: &[(&str, &[&str])] = &[
    ("openai", &["text-completion-openai"]),
    ("cohere", &["cohere_chat"]),
    ("bedrock", &["bedrock_converse", "bedrock_mantle"]),
    ("azure", &["azure_text"]),
    ("codestral", &["text-completion-codestral"]),
    ("inception", &["text-completion-inception"]),
];

impl Vendor {
    /// The vendor that the catalogue calls `name`.
    pub fn named(name: &str) -> Self {
        Self::Named(Cow::Owned(name.to_owned()))
    }

    /// The vendor at an address.
    pub fn at(url: &BaseUrl) -> Self {
        let host = url.host();
        let known = HOSTS.iter().find(|(known, _)| {
            *known == host
                || host.ends_with(known) && (known.starts_with('.') || known.starts_with("aiplatform"))
        });
        known.map_or(Self::Unknown, |(_, vendor)| Self::Named(Cow::Borrowed(vendor)))
    }
}

/// Do rows of the catalogue's `provider` belong to `vendor`?
pub(super) fn covers(vendor: &str, provider: &str) -> bool {
    provider == vendor
        // `vertex_ai-anthropic_models`, `fireworks_ai-embedding-models`
        || provider.strip_prefix(vendor).is_some_and(|rest| rest.starts_with('-'))
        || FAMILIES.iter().any(|(family, members)| *family == vendor && members.contains(&provider))
}

/// `name` without a date or `latest` at its end; `None` if it has neither.
///
/// `gpt-4o-2024-08-06`, `claude-haiku-4-5-20251001`, `claude-haiku-4-5@20251001`, `mistral-large-latest`.
pub(super) fn without_date(name: &str) -> Option<&str> {
    if let Some(stem) = name.strip_suffix("-latest") {
        return Some(stem);
    }
    let digits = |text: &str, pattern: &[usize]| {
        let mut parts = text.split('-');
        pattern.iter().all(|len| {
            parts.next().is_some_and(|part| part.len() == *len && part.bytes().all(|b| b.is_ascii_digit()))
        }) && parts.next().is_none()
    };
    for (len, pattern) in [(10, &[4, 2, 2][..]), (8, &[8][..])] {
        let Some(at) = name.len().checked_sub(len).filter(|at| name.is_char_boundary(*at)) else { continue };
        let (stem, date) = name.split_at(at);
        if digits(date, pattern)
            && date.starts_with("20")
            && let Some(stem) = stem.strip_suffix(['-', '@'])
        {
            return Some(stem);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_told_from_versions() {
        for (name, stem) in [
            ("gpt-4o-2024-08-06", Some("gpt-4o")),
            ("claude-haiku-4-5-20251001", Some("claude-haiku-4-5")),
            ("claude-haiku-4-5@20251001", Some("claude-haiku-4-5")),
            ("mistral-large-latest", Some("mistral-large")),
            ("gpt-4o", None),
            ("model-12345678", None),
            ("gpt-4-0613", None),
            ("模型模型模型", None),
            ("", None),
        ] {
            assert_eq!(without_date(name), stem, "{name}");
        }
    }

    #[test]
    fn addresses_tell_the_vendor() {
        for (url, vendor) in [
            ("https://api.groq.com/openai/v1", Vendor::named("groq")),
            ("https://me.openai.azure.com/openai/v1", Vendor::named("azure")),
            ("https://evil-api.groq.com.example.org/v1", Vendor::Unknown),
            ("https://notapi.openai.com/v1", Vendor::Unknown),
            ("http://127.0.0.1:9/v1", Vendor::Unknown),
        ] {
            assert_eq!(Vendor::at(&BaseUrl::parse(url).unwrap()), vendor, "{url}");
        }
    }

    #[test]
    fn every_vendor_is_in_the_catalogue() {
        let catalogue = crate::Catalogue::embedded();
        for (_, vendor) in HOSTS {
            assert!(catalogue.has_vendor(vendor), "{vendor}");
        }
    }
}
