//! From the tree to the checked configuration: one function for each section, and the whole here.

pub(crate) mod access;
pub(crate) mod breaker;
pub(crate) mod limits;
pub(crate) mod limits_table;
pub(crate) mod overload;
pub(crate) mod price;
pub(crate) mod profile;
pub(crate) mod provider;
pub(crate) mod provider_table;
pub(crate) mod remote;
pub(crate) mod retry;
pub(crate) mod route;
pub(crate) mod server;
pub(crate) mod simulated;

use document::Reader;

use crate::fields::Fields;
use crate::names::{self, Unread};
use crate::table::{Is, Section, field, later, option};
use crate::{Config, Provider};

pub(crate) static ROOT: Section = Section {
    name: "",
    doc: "The whole file. Nothing is required: without a file Windlass listens on 127.0.0.1:8080 with the `local` \
          provider.",
    fields: &[
        field("version", Is::Integer(1, 1), "1", "The version of this format."),
        option("server", Is::Section(&server::SERVER), "see there", "The process."),
        option("storage", Is::Section(&server::STORAGE), "see there", "Where things are kept."),
        option(
            "providers",
            Is::Map(&Is::Kinds(&provider_table::KINDS)),
            "`local: { kind: local }`",
            "What answers calls.",
        ),
        option(
            "routes",
            Is::Map(&Is::Section(&route::ROUTE)),
            "none",
            "Names with several models behind them.",
        ),
        option("aliases", Is::Map(&Is::Text), "none", "Other names for a model or a route."),
        option(
            "defaults",
            Is::Section(&route::DEFAULTS),
            "see there",
            "What holds unless something else is said.",
        ),
        option(
            "overload",
            Is::Section(&overload::OVERLOAD),
            "see there",
            "What happens when there is too much to do.",
        ),
        option(
            "tasks",
            Is::Map(&Is::Section(&profile::TASK)),
            "the built-in ones",
            "What calls may say that they are for, and the parameters that follow from it.",
        ),
        option(
            "profiles",
            Is::Map(&Is::Section(&profile::PROFILE)),
            "the built-in ones",
            "Performance profiles: parameters by name.",
        ),
        option("keys", Is::Map(&Is::Section(&access::KEY)), "anybody may call", "Who may call."),
        option(
            "prices",
            Is::Map(&Is::Section(&price::PRICE)),
            "list prices",
            "Prices that you know better than the list, by `provider/model` or by model.",
        ),
        option(
            "chains",
            Is::Map(&Is::Path),
            "none",
            "Chains to offer over HTTP: names, and the files they are in.",
        ),
        option("telemetry", Is::Section(&server::TELEMETRY), "see there", "Logs, traces and alerts."),
        option("limits", Is::Section(&limits_table::LIMITS), "no limits", "Rate limits."),
        later("budgets", "Ceilings on money."),
        later("decision_engine", "Choosing models by what was learned."),
        later("analyzer", "Watching quality and drift."),
        later("cache", "Answers that are remembered."),
        later("tenants", "Whom calls belong to."),
    ],
};

/// Reads everything below `root`; without one, all defaults. What is wrong has been noted when this returns,
/// and the configuration then is of no use. With `to_the_end` false, the file could not be read to its end: what is
/// not there may be in the rest.
pub(crate) fn config(root: Option<Reader<'_>>, to_the_end: bool) -> Config {
    let mut fields = Fields::open(&ROOT, root);
    if let Some(at) = fields.value("version")
        && at.node().raw().trim() != "1"
    {
        at.error("this version of Windlass reads version 1 of the format");
    }
    let server_at = fields.section("server");
    let listen_at = fields.reader().cloned();
    let server = server::server(server_at);
    let storage = server::storage(fields.section("storage"));
    let (defaults, timeouts) = route::defaults(fields.section("defaults"));
    let mut prices = Vec::new();
    let mut providers: Vec<Provider> = Vec::new();
    let named = fields.names("providers");
    let mut unread = if to_the_end { Unread::default() } else { Unread::rest(!named.is_empty()) };
    for (name, at) in &named {
        names::check_plain(name, at, "provider");
        let before = at.problems().errors();
        match provider::provider(name.clone(), at, timeouts, &mut prices) {
            Some(provider) if at.problems().errors() == before => providers.push(provider),
            // Its models may be what could not be read.
            read => {
                providers.extend(read);
                unread.provider(name);
            }
        }
    }
    if let Some(at) = fields.value("providers") {
        if named.is_empty() {
            at.error("without a provider nothing can be answered");
        }
    } else {
        providers.push(local_provider(timeouts));
    }
    for (name, at) in fields.names("prices") {
        prices.extend(price::price(Some(at)).map(|price| (name, price)));
    }
    let profiles = profile::table(fields.names("tasks"), fields.names("profiles"));
    let routes = fields.names("routes").into_iter();
    let raw: Vec<_> = routes.map(|(name, at)| route::route(name, at, &defaults, &profiles)).collect();
    let aliases = names::texts(fields.names("aliases"));
    let (routes, aliases) = names::resolve(&providers, raw, &aliases, &unread);
    let keys: Vec<_> = fields.names("keys").into_iter().map(|(name, at)| access::key(name, &at)).collect();
    let limits = limits::limits(fields.section("limits"), &keys, (&providers, &unread));
    let chains = names::texts(fields.names("chains"));
    let config = Config {
        server,
        storage,
        providers,
        routes,
        aliases,
        keys,
        limits,
        prices: prices.into_iter().collect(),
        chains: chains.into_iter().map(|(name, path, _)| (name, path.into())).collect(),
        telemetry: server::telemetry(fields.section("telemetry")),
        defaults,
        overload: overload::overload(fields.section("overload")),
        profiles,
    };
    fields.finish();
    names::check_keys(&config, listen_at.as_ref(), &unread);
    config
}

/// The provider that a machine without configuration has.
fn local_provider(base: policy::Timeouts) -> Provider {
    use crate::provider::{Kind, Models};
    let mut fields = Fields::open(&provider_table::LOCAL, None);
    let (local, models): (_, Models) = provider::local(&mut fields);
    let vendor = crate::catalogue::Vendor::None;
    Provider { name: "local".to_owned(), kind: Kind::Local(local), models, vendor, timeouts: base }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Breaker;
    use crate::table::{Default, Section};
    use policy::{Timeouts, hedge};

    fn unset(section: &Section, key: &str) -> &'static str {
        match section.field(key).unwrap().default {
            Default::Is(text) | Default::Unset(text) => text,
            Default::Required => panic!("{key} is required"),
        }
    }

    #[test]
    fn the_tables_print_the_defaults_that_hold() {
        let duration = |section, key| document::parse_duration(unset(section, key)).unwrap();
        let timeouts = Timeouts {
            connect: duration(&route::TIMEOUTS, "connect"),
            first_token: duration(&route::TIMEOUTS, "first_token"),
            answer: None,
            idle: duration(&route::TIMEOUTS, "idle"),
            total: duration(&route::TIMEOUTS, "total"),
        };
        assert_eq!(timeouts, Timeouts::default());
        let usual = policy::retry::Policy::default();
        assert_eq!(unset(&retry::RETRY, "attempts"), usual.attempts.to_string());
        assert_eq!(duration(&retry::RETRY, "base"), usual.base);
        assert_eq!(duration(&retry::RETRY, "max"), usual.max);
        assert_eq!(unset(&retry::RETRY, "backoff"), usual.backoff.as_str());
        let (of, share) =
            (&breaker::BREAKER, |key| unset(&breaker::BREAKER, key).trim_end_matches('%').to_owned());
        let Breaker { enabled, settings, slow, forecast } = breaker::usual();
        assert_eq!(settings, policy::breaker::Settings::default());
        assert_eq!((unset(of, "enabled"), unset(of, "forecast")), ("true", "true"));
        assert_eq!((enabled, forecast, slow), (true, true, None));
        let percent = [settings.threshold, settings.slow_threshold].map(|part| (part * 100.0).to_string());
        assert_eq!([share("threshold"), share("slow_threshold")], percent);
        assert_eq!(unset(of, "probes"), settings.probes.to_string());
        assert_eq!(duration(of, "open"), settings.base);
        let hedge = breaker::hedge(Fields::open(&breaker::HEDGE, None));
        assert_eq!(hedge, hedge::Settings::default());
        assert_eq!(policy::retry::Share::default().per_thousand, 100, "as the table of `retry` says");
    }
}
