//! Names and what they refer to: routes and aliases resolved to models that exist, and the checks that need
//! more than one section.

use std::collections::BTreeMap;

use document::{Diagnostic, Reader, Span, Value, closest};

use crate::read::route::RawRoute;
use crate::resolve::resolve_model;
use crate::route::Terms;
use crate::{Allowed, Config, Key, Meaning, Provider, Route, Target};

/// A name, the text at it and where that stands.
pub(crate) type Text<'a> = (String, String, Reader<'a>);

/// The names that are texts.
pub(crate) fn texts<'a>(named: Vec<(String, Reader<'a>)>) -> Vec<Text<'a>> {
    let text = |(name, at): (String, Reader<'a>)| Some((name, at.clone().nonempty_text()?, at));
    named.into_iter().filter_map(text).collect()
}

/// A name that can stand before a slash.
pub(crate) fn check_plain(name: &str, at: &Reader<'_>, what: &str) {
    let letter = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 64 || !name.chars().all(letter) {
        let message = format!("the name of a {what} is 1 to 64 letters, digits, `-`, `_` and `.`");
        at.problems().error(at.path(), at.key_span(), message);
    }
}

/// What could not be read: a name that may be in there is not told as unknown.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    providers: Vec<String>,
    /// The file could not be read to its end; and whether its providers could.
    rest: Option<bool>,
}

impl Unread {
    /// The file could not be read to its end.
    pub(crate) const fn rest(providers: bool) -> Self {
        Self { providers: Vec::new(), rest: Some(providers) }
    }

    /// This provider has problems of its own.
    pub(crate) fn provider(&mut self, name: &str) {
        self.providers.push(name.to_owned());
    }

    /// Whether `name` may be of what could not be read.
    pub(crate) fn may_mean(&self, name: &str) -> bool {
        match name.split_once('/') {
            _ if self.rest == Some(false) => true,
            // A name with a slash may also be a model's own.
            Some((first, _)) => self.providers.iter().any(|provider| provider == first),
            None => self.rest.is_some() || !self.providers.is_empty(),
        }
    }
}

/// Resolves every route and alias.
pub(crate) fn resolve<'a>(
    providers: &[Provider],
    raw: Vec<RawRoute<'a>>,
    aliases: &[Text<'a>],
    unread: &Unread,
) -> (Vec<Route>, BTreeMap<String, Meaning>) {
    let names = Names { providers, routes: &raw, aliases, unread };
    names.check_names();
    let targets: Vec<Vec<(Target, Terms)>> = raw.iter().map(|route| names.targets(route)).collect();
    let aliases = aliases.iter().filter_map(|alias| Some((alias.0.clone(), names.meaning(alias)?))).collect();
    let routes = raw.into_iter().zip(targets).map(|(raw, found)| {
        let (targets, terms) = found.into_iter().unzip();
        Route {
            name: raw.name,
            targets,
            terms,
            strategy: raw.strategy,
            unsupported: raw.unsupported,
            retry: raw.retry.rules,
            retry_budget: raw.retry.budget,
            timeouts: raw.timeouts,
            adaptive_timeouts: raw.adaptive_timeouts,
            breaker: raw.breaker,
            hedge: raw.hedge,
            filtered: raw.filtered,
            stream_failure: raw.stream_failure,
            task: raw.task,
            profile: raw.profile,
        }
    });
    (routes.collect(), aliases)
}

struct Names<'n, 'a> {
    providers: &'n [Provider],
    routes: &'n [RawRoute<'a>],
    aliases: &'n [Text<'a>],
    unread: &'n Unread,
}

/// A way through names to models.
struct Walk {
    way: Vec<String>,
    /// What the outermost name on the way says of the models behind it.
    terms: Option<Terms>,
    found: Vec<(Target, Terms)>,
}

/// What a name leads to in one step.
enum Step<'n, 'a> {
    Alias(&'n Text<'a>),
    Route(&'n RawRoute<'a>),
    Model(Target),
    Nothing,
}

impl<'n, 'a> Names<'n, 'a> {
    fn step(&self, name: &str) -> Step<'n, 'a> {
        if let Some(alias) = self.aliases.iter().find(|alias| alias.0 == name) {
            return Step::Alias(alias);
        }
        if let Some(route) = self.routes.iter().find(|route| route.name == name) {
            return Step::Route(route);
        }
        resolve_model(self.providers, name).map_or(Step::Nothing, Step::Model)
    }

    /// Names that would mean two things, or that callers could not write.
    fn check_names(&self) {
        let routes = self.routes.iter().map(|route| (&route.name, &route.at, "route"));
        let aliases = self.aliases.iter().map(|alias| (&alias.0, &alias.2, "alias"));
        for (name, at, what) in routes.chain(aliases) {
            let provider = |name: &str| self.providers.iter().any(|provider| provider.name == name);
            let error = |message: String| at.problems().error(at.path(), at.key_span(), message);
            if name.trim().is_empty() || name.contains(|c: char| c.is_control() || c.is_whitespace()) {
                error(format!("the name of a {what} must not be empty or have white space in it"));
            } else if name == "auto-select" {
                error(
                    "`auto-select` is the name of the learned route, which comes in a later version"
                        .to_owned(),
                );
            } else if name.split_once('/').is_some_and(|(first, _)| provider(first)) {
                error(format!("a {what} must not look like a model of the provider before the slash"));
            } else if what == "route" && provider(name) {
                error(format!("`{name}` is a provider already"));
            } else if what == "alias" && self.routes.iter().any(|route| route.name == *name) {
                error(format!("`{name}` is a route already"));
            }
        }
    }

    /// The models of a route, in order, each once, with what is said of them.
    fn targets(&self, route: &RawRoute<'a>) -> Vec<(Target, Terms)> {
        let mut walk = Walk { way: vec![route.name.clone()], terms: None, found: Vec::new() };
        for candidate in &route.models {
            walk.terms = candidate.terms(None);
            self.follow(&candidate.name, &candidate.at, &mut walk);
        }
        walk.found
    }

    fn follow(&self, name: &str, at: &Reader<'a>, walk: &mut Walk) {
        if let Some(start) = walk.way.iter().position(|known| known == name) {
            let circle = walk.way[start..].join(" → ");
            at.error(format!("goes in a circle: {circle} → {name}"));
            return;
        }
        match self.step(name) {
            Step::Model(target) => {
                if !walk.found.iter().any(|(known, _)| *known == target) {
                    walk.found.push((target, walk.terms.unwrap_or_default()));
                }
            }
            // What is wrong inside another name is told where that stands.
            Step::Alias((_, to, _)) if walk.way.len() < self.routes.len() + self.aliases.len() + 1 => {
                walk.way.push(name.to_owned());
                self.follow_quietly(to, at, walk);
                walk.way.pop();
            }
            Step::Route(route) => {
                walk.way.push(name.to_owned());
                let outer = walk.terms;
                for inner in &route.models {
                    walk.terms = inner.terms(outer);
                    self.follow_quietly(&inner.name, at, walk);
                }
                walk.terms = outer;
                walk.way.pop();
            }
            Step::Alias(_) => {}
            Step::Nothing => self.unknown(name, at),
        }
    }

    /// Follows a name that stands elsewhere: only a circle is told here.
    fn follow_quietly(&self, name: &str, at: &Reader<'a>, walk: &mut Walk) {
        if matches!(self.step(name), Step::Nothing) {
            return;
        }
        // A circle that does not pass through the start is told where it starts.
        if walk.way.iter().skip(1).any(|known| known == name) {
            return;
        }
        self.follow(name, at, walk);
    }

    fn meaning(&self, alias: &Text<'a>) -> Option<Meaning> {
        let (start, to, at) = alias;
        let mut way = vec![start.as_str()];
        let mut name = to.as_str();
        loop {
            if let Some(from) = way.iter().position(|known| *known == name) {
                if from == 0 {
                    at.error(format!("goes in a circle: {} → {name}", way.join(" → ")));
                }
                return None;
            }
            match self.step(name) {
                Step::Alias((_, next, _)) => {
                    way.push(name);
                    name = next;
                }
                Step::Route(route) => return Some(Meaning::Route(route.name.clone())),
                Step::Model(target) => return Some(Meaning::Model(target)),
                Step::Nothing => {
                    if way.len() == 1 {
                        self.unknown(name, at);
                    }
                    return None;
                }
            }
        }
    }

    /// Notes that nothing has this name, with what may have been meant.
    fn unknown(&self, name: &str, at: &Reader<'_>) {
        if self.unread.may_mean(name) {
            return;
        }
        let (message, near) = self.nothing_called(name);
        let diagnostic =
            Diagnostic::error(at.problems().code(), message).with_path(at.path()).with_span(at.span());
        let help = match (near, name.split_once('/')) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, None) => "name it as provider/model".to_owned(),
            (None, Some((first, _))) if self.providers.iter().any(|provider| provider.name == first) => {
                format!("add it to the models of `providers.{first}`")
            }
            (None, Some((first, _))) => {
                format!("write `providers.{first}`, or name a provider that is there")
            }
        };
        at.problems().add(diagnostic.with_help(help));
    }

    /// What to say of a name that nothing has, and the name that is most like it.
    fn nothing_called(&self, name: &str) -> (String, Option<String>) {
        let Some((first, model)) = name.split_once('/') else {
            let mut all: Vec<String> = self.routes.iter().map(|route| route.name.clone()).collect();
            all.extend(self.aliases.iter().map(|alias| alias.0.clone()));
            all.extend(self.providers.iter().flat_map(listed));
            let near = closest(name, all.iter().map(String::as_str)).map(str::to_owned);
            return (format!("no provider lists `{name}`, and no route or alias has this name"), near);
        };
        let Some(provider) = self.providers.iter().find(|provider| provider.name == first) else {
            let near = closest(first, self.providers.iter().map(|provider| provider.name.as_str()));
            return (format!("there is no provider `{first}`"), near.map(|name| format!("{name}/{model}")));
        };
        let all = listed(provider);
        let near = closest(model, all.iter().map(String::as_str));
        (format!("provider `{first}` has no model `{model}`"), near.map(|name| format!("{first}/{name}")))
    }
}

fn listed(provider: &Provider) -> Vec<String> {
    match &provider.models {
        crate::Models::Listed(models) => models.iter().map(|model| model.name.clone()).collect(),
        crate::Models::Any => Vec::new(),
    }
}

/// Two keys that are the same, keys for models that nothing is called, and a socket that is open to the world.
pub(crate) fn check_keys(config: &Config, root: Option<&Reader<'_>>, unread: &Unread) {
    let Some(root) = root else { return };
    let at = |key: &Key, field: &str| {
        let node = root.node().get("keys").and_then(|keys| keys.get(&key.name))?;
        Some(node.get(field).unwrap_or(node))
    };
    let error = |path: String, span: Span, message: String, help: Option<String>| {
        let diagnostic = Diagnostic::error(root.problems().code(), message).with_path(path).with_span(span);
        root.problems().add(match help {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        });
    };
    for (index, key) in config.keys.iter().enumerate() {
        let twin = config.keys[..index].iter().find(|other| other.digest == key.digest);
        if let Some(twin) = twin.filter(|twin| twin.digest != [0; 32]) {
            let place = at(key, "key").map_or(root.span(), |node| node.span);
            let message = format!("keys `{}` and `{}` are the same", twin.name, key.name);
            error(format!("keys.{}", key.name), place, message, None);
        }
        let Allowed::These(names) = &key.models else { continue };
        let places = at(key, "models").map(|node| match &node.value {
            Value::List(items) => items.iter().collect(),
            _ => vec![node],
        });
        for name in names.iter().filter(|name| !name.ends_with('*')) {
            if config.resolve(name).is_some() || unread.may_mean(name) {
                continue;
            }
            let node = places.iter().flatten().find(|node| node.raw() == name);
            let place = node.map_or(root.span(), |node| node.span);
            let all = config.model_names();
            let near = closest(name, all.iter().map(String::as_str));
            let help = near.map_or("name a route, an alias or provider/model".to_owned(), |near| {
                format!("did you mean `{near}`?")
            });
            let message = format!("nothing is called `{name}`: the key could not use it");
            error(format!("keys.{}.models", key.name), place, message, Some(help));
        }
    }
    if config.is_open_at(config.server.listen) && unread.rest.is_none() {
        let at = root.node().get("server").and_then(|server| server.get("listen"));
        let span = at.map_or(root.span(), |at| at.span);
        let message = "anybody who reaches this address could call: there are no `keys`".to_owned();
        let help = "add a key, listen on 127.0.0.1, or set `server.allow_open: true`".to_owned();
        error("server.listen".to_owned(), span, message, Some(help));
    }
}
