//! From the published table to the text that is embedded.
//!
//! Columns are found by their names in the table's first line, so that a table with more columns, or in
//! another order, packs as well. A column that is missing or a cell that makes no sense is an error: a
//! price list that is half understood is worse than the old one.

use types::price::Rate;

use super::row::{ABILITIES, Mode, RATES};

/// Why a table was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// The table lacks a column.
    #[error("the table has no column `{0}`")]
    Column(&'static str),
    /// A line has another number of cells than the first, or quotes, which this reader does not know.
    #[error("line {line}: has {found} cells and should have {expected}")]
    Cells {
        /// Counted from 1.
        line: usize,
        /// Cells in this line.
        found: usize,
        /// Cells in the first line.
        expected: usize,
    },
    /// A cell that makes no sense.
    #[error("line {line}: `{value}` is not a valid {column}")]
    Cell {
        /// Counted from 1.
        line: usize,
        /// The column's name.
        column: &'static str,
        /// The cell.
        value: String,
    },
    /// A model stands there twice.
    #[error("`{0}` stands there twice")]
    Twice(String),
}

/// Writes the table `csv` (the columns of `model-prices.csv`) as the catalogue's text.
pub fn pack(csv: &str) -> Result<String, PackError> {
    let mut lines = csv.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let table = Table::new(&names)?;
    let mut rows =
        lines.enumerate().map(|(at, line)| table.row(at + 2, line)).collect::<Result<Vec<_>, PackError>>()?;
    rows.sort_unstable();
    if let Some(pair) = rows.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(PackError::Twice(pair[0].0.clone()));
    }
    let text = rows.into_iter().map(|(model, rest)| format!("{model}\t{}\n", rest.trim_end_matches('\t')));
    Ok(text.collect())
}

/// Where the columns are.
struct Table {
    width: usize,
    text: [usize; 6],
    rates: [usize; RATES.len()],
    abilities: [usize; ABILITIES.len()],
}

const TEXT: [&str; 6] = ["model", "provider", "mode", "context_tokens", "max_output_tokens", "deprecation"];

impl Table {
    fn new(names: &[&str]) -> Result<Self, PackError> {
        let at =
            |name: &'static str| names.iter().position(|known| *known == name).ok_or(PackError::Column(name));
        let mut table = Self {
            width: names.len(),
            text: [0; 6],
            rates: [0; RATES.len()],
            abilities: [0; ABILITIES.len()],
        };
        for (slot, name) in table.text.iter_mut().zip(TEXT) {
            *slot = at(name)?;
        }
        for (slot, (_, name)) in table.rates.iter_mut().zip(RATES) {
            *slot = at(name)?;
        }
        for (slot, (_, name)) in table.abilities.iter_mut().zip(ABILITIES) {
            *slot = at(name)?;
        }
        Ok(table)
    }

    /// The model's name and the rest of its line.
    fn row(&self, line: usize, text: &str) -> Result<(String, String), PackError> {
        let cells: Vec<&str> = text.split(',').collect();
        if cells.len() != self.width || text.contains('"') {
            return Err(PackError::Cells { line, found: cells.len(), expected: self.width });
        }
        let bad =
            |column: &'static str, value: &str| PackError::Cell { line, column, value: value.to_owned() };
        let [model, provider, mode, context, output, end] = self.text.map(|at| cells[at].trim());
        if model.is_empty() || model.contains(char::is_whitespace) {
            return Err(bad("model", model));
        }
        let mode = Mode::letter(mode).ok_or_else(|| bad("mode", mode))?;
        for (column, value) in [("context_tokens", context), ("max_output_tokens", output)] {
            if !value.is_empty() && value.parse::<u64>().is_err() {
                return Err(bad(column, value));
            }
        }
        let mut prices = String::new();
        for (at, (letter, column)) in self.rates.into_iter().zip(RATES) {
            if cells[at].is_empty() {
                continue;
            }
            let rate: Rate = cells[at].parse().map_err(|_| bad(column, cells[at]))?;
            prices.push(char::from(letter));
            prices.push_str(&rate.to_string());
        }
        let mut abilities = String::new();
        for (at, (letter, column)) in self.abilities.into_iter().zip(ABILITIES) {
            match cells[at] {
                "" | "0" => {}
                "1" => abilities.push(char::from(letter)),
                other => return Err(bad(column, other)),
            }
        }
        let provider =
            if model.split_once('/').is_some_and(|(first, _)| first == provider) { "" } else { provider };
        let mode = char::from(mode);
        Ok((
            model.to_owned(),
            format!("{provider}\t{mode}\t{context}\t{output}\t{prices}\t{abilities}\t{end}"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_half_understood_is_refused() {
        let head = "provider,model,mode,context_tokens,max_output_tokens,input,output,cache_read,cache_write,\
                    cache_write_1h,reasoning_output,audio_input,audio_output,batch_input,batch_output,\
                    input_above_200k,output_above_200k,input_above_272k,output_above_272k,tools,parallel_tools,\
                    vision,audio_in,pdf_in,json_schema,reasoning,prompt_cache,assistant_prefill,deprecation";
        let row = |model: &str, input: &str| format!("openai,{model},chat,,,{input},2{}\n", ",".repeat(22));
        let table = |rows: &[String]| pack(&format!("{head}\n{}", rows.concat()));
        assert_eq!(
            table(&[row("b", "1"), row("a", "0.5")]).unwrap(),
            "a\topenai\tc\t\t\ti0.5o2\nb\topenai\tc\t\t\ti1o2\n"
        );
        assert_eq!(table(&[row("a", "1"), row("a", "1")]), Err(PackError::Twice("a".to_owned())));
        assert!(matches!(table(&[row("a", "x")]), Err(PackError::Cell { line: 2, column: "input", .. })));
        assert!(matches!(table(&["a,b\n".to_owned()]), Err(PackError::Cells { found: 2, .. })));
        assert_eq!(pack("provider,name\n"), Err(PackError::Column("model")));
    }
}
