//! What a template sees: the inputs by name, `inputs`, `steps` and `output`. Built for nothing: lookups go to
//! the run's own values, so a step that names one other step touches only that one.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};

/// The values of one run, shared by all its templates. Each step's is set once.
#[derive(Debug)]
pub(crate) struct RunScope {
    pub(crate) inputs: BTreeMap<String, Value>,
    pub(crate) results: Vec<OnceLock<Value>>,
    /// Step names to their places in `results`.
    pub(crate) names: Arc<HashMap<String, usize>>,
}

/// What one template sees: `output` holds the steps before this place.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) run: Arc<RunScope>,
    pub(crate) before: usize,
}

impl RunScope {
    fn result(&self, index: usize) -> Option<Value> {
        self.results.get(index).and_then(OnceLock::get).cloned()
    }
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            "steps" => Some(Value::from_object(Steps(Arc::clone(&self.run)))),
            "output" => Some(Value::from_object(Outputs { run: Arc::clone(&self.run), len: self.before })),
            "inputs" => Some(Value::from_object(Inputs(Arc::clone(&self.run)))),
            name => self.run.inputs.get(name).cloned(),
        }
    }
}

/// `inputs`: what was given, by name.
#[derive(Debug)]
struct Inputs(Arc<RunScope>);

impl Object for Inputs {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.inputs.get(key.as_str()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.inputs.keys().map(|name| Value::from(name.as_str())).collect())
    }
}

/// `steps`: what finished steps answered, by name.
#[derive(Debug)]
struct Steps(Arc<RunScope>);

impl Object for Steps {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.0.names.get(key).and_then(|index| self.0.result(*index))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let mut names: Vec<_> = self.0.names.iter().filter(|(_, i)| self.0.result(**i).is_some()).collect();
        names.sort_by_key(|(_, index)| **index);
        Enumerator::Values(names.into_iter().map(|(name, _)| Value::from(name.as_str())).collect())
    }
}

/// `output`: what the steps before answered, in the file's order.
#[derive(Debug)]
struct Outputs {
    run: Arc<RunScope>,
    len: usize,
}

impl Object for Outputs {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        key.as_usize().filter(|index| *index < self.len).and_then(|index| self.run.result(index))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.len)
    }
}
