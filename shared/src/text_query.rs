//! Free text (semantics.md 7, `q`): the fields whose words an index holds, and what is looked for among them.

use std::fmt;
use std::sync::Arc;

/// The fields of payloads whose words are indexed: JSON Pointers, or `*` for all of the payload.
///
/// Whoever builds the index chooses them, and they are part of it. So their characters are limited to letters, digits and
/// `/ _ - . ~ @ $ :`, which need no quotes anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TextFields(Arc<str>);

/// These are no fields to index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTextFields {
    /// None was given.
    #[error("no field: name at least one, such as /description, or * for the whole payload")]
    None,
    /// More than [`TextFields::MOST`].
    #[error("more than {} fields: name fewer, or * for the whole payload", TextFields::MOST)]
    TooMany,
    /// Neither `*` nor a pointer that can be part of an index.
    #[error("{0:?} is no JSON Pointer such as /customer/name (letters, digits and _ - . ~ @ $ :, at most {longest} bytes)", longest = TextFields::LONGEST)]
    Field(String),
    /// Twice the same, or `*` and another.
    #[error("{0:?} is there already: leave it out")]
    Again(String),
}

impl TextFields {
    /// Fields of one index.
    pub const MOST: usize = 16;
    /// Bytes of one field.
    pub const LONGEST: usize = 200;

    /// Checks the fields.
    pub fn new<'a>(fields: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidTextFields> {
        let mut kept: Vec<&str> = Vec::new();
        for field in fields {
            if field != "*" && !is_pointer(field) {
                return Err(InvalidTextFields::Field(field.to_owned()));
            }
            if kept.contains(&field) || kept.contains(&"*") {
                return Err(InvalidTextFields::Again(field.to_owned()));
            }
            if field == "*" && !kept.is_empty() {
                return Err(InvalidTextFields::Again(kept[0].to_owned()));
            }
            if kept.len() == Self::MOST {
                return Err(InvalidTextFields::TooMany);
            }
            kept.push(field);
        }
        if kept.is_empty() {
            return Err(InvalidTextFields::None);
        }
        Ok(Self(kept.join(" ").into()))
    }

    /// The fields, a space between: as `audit.words` takes them.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TextFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn is_pointer(field: &str) -> bool {
    field.len() <= TextFields::LONGEST
        && field.len() > 1
        && field.starts_with('/')
        && field.chars().all(|c| c.is_alphanumeric() || "/_-.~@$:".contains(c))
        && field.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']))
}

/// What is looked for: words that must all be there, `"a phrase"`, `or`, and `-not`, in the fields of an index.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TextQuery {
    words: String,
    fields: TextFields,
}

/// The text names no word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("names no word to look for: give letters or digits")]
pub struct NoWord;

impl TextQuery {
    /// Reads a question to the index of these fields.
    pub fn new(words: String, fields: TextFields) -> Result<Self, NoWord> {
        let names_one = words
            .split_whitespace()
            .any(|word| !word.starts_with('-') && word != "or" && word.chars().any(char::is_alphanumeric));
        if names_one { Ok(Self { words, fields }) } else { Err(NoWord) }
    }

    /// The words as they were given.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// The fields in which they are looked for.
    pub fn fields(&self) -> &TextFields {
        &self.fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_pointers_or_everything() {
        let read = |fields: &[&str]| TextFields::new(fields.iter().copied());
        assert_eq!(read(&["/a", "/b/0/ñ~1c"]).expect("fields").as_str(), "/a /b/0/ñ~1c");
        assert_eq!(read(&["*"]).expect("everything").as_str(), "*");
        assert_eq!(read(&[]), Err(InvalidTextFields::None));
        for field in ["", "/", "a", "/a b", "/a'", "/a\\", "/a\"", "/~2", "/a~", "/a\n", "**"] {
            assert_eq!(read(&[field]), Err(InvalidTextFields::Field(field.to_owned())), "{field:?}");
        }
        assert_eq!(read(&["/a", "/a"]), Err(InvalidTextFields::Again("/a".to_owned())));
        assert_eq!(read(&["/a", "*"]), Err(InvalidTextFields::Again("/a".to_owned())));
        assert_eq!(read(&["*", "/a"]), Err(InvalidTextFields::Again("/a".to_owned())));
        let many: Vec<String> = (0..17).map(|number| format!("/{number}")).collect();
        assert_eq!(TextFields::new(many.iter().map(String::as_str)), Err(InvalidTextFields::TooMany));
    }

    #[test]
    fn a_question_names_a_word_that_must_be_there() {
        let ask = |words: &str| TextQuery::new(words.to_owned(), TextFields::new(["*"]).expect("fields"));
        for words in ["invoice", "\"late fee\" -paid", "a or b", "12.50", "ñ"] {
            assert_eq!(ask(words).expect("a question").words(), words);
        }
        for words in ["", "  ", "-paid", "or", "\"\"", "- &|!"] {
            assert_eq!(ask(words), Err(NoWord), "{words:?}");
        }
    }
}
