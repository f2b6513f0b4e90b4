//! Storage variables whose elements are kept as something else than the kernel computes with: nothing else of the text
//! changes.

/// How the elements of a storage variable are kept.
pub(super) struct Kept {
    /// As what.
    pub(super) as_type: &'static str,
    /// What stands before and behind one that is read.
    pub(super) read: [String; 2],
    /// What stands before and behind a value that is written.
    pub(super) written: [String; 2],
}

/// A storage variable that is an array.
pub(super) struct Variable<'t> {
    name: &'t str,
    /// What an element is to the kernel, which may be an alias.
    pub(super) element: &'t str,
    /// Where the text has the element's type.
    at: usize,
    text: &'t str,
}

impl<'t> Variable<'t> {
    /// The variable of that name.
    pub(super) fn named(text: &'t str, name: &'t str) -> Option<Self> {
        let mut accesses = ["read", "read_write"].into_iter();
        accesses.find_map(|access| {
            let declaration = format!("var<storage, {access}> {name}: array<");
            let at = text.find(&declaration)? + declaration.len();
            let element = &text[at..at + text[at..].find(">;")?];
            Some(Self { name, element, at, text })
        })
    }

    /// What an element is to the kernel.
    pub(super) fn element_type(&self) -> &'t str {
        aliased(self.text, self.element)
    }

    /// The same text with the elements kept otherwise: what is read and written is converted.
    ///
    /// # Errors
    /// Says how the variable is used otherwise than element by element.
    pub(super) fn kept(&self, kept: &Kept) -> Result<String, String> {
        let (before, behind) = (&self.text[..self.at], &self.text[self.at + self.element.len()..]);
        let (before, behind) = (self.converted(kept, before)?, self.converted(kept, behind)?);
        Ok([&before, kept.as_type, &behind].concat())
    }

    /// Some text with its elements converted where they are read and written.
    fn converted(&self, kept: &Kept, mut text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(text.len() * 9 / 8);
        let mut scopes = Scopes::default();
        while !text.is_empty() {
            let (word, behind) = text.split_at(token(text));
            let of_this = word == self.name && !out.ends_with('.');
            let hidden = scopes.see(word, of_this, behind.starts_with(':'));
            if of_this && !hidden {
                if behind.starts_with('[') {
                    let (element, rest) = self.access(kept, behind)?;
                    out.push_str(&element);
                    text = rest;
                    continue;
                }
                if !behind.starts_with(':') && !out.ends_with('&') {
                    return Err(format!("{} is used as a whole", self.name));
                }
            }
            out.push_str(word);
            text = behind;
        }
        Ok(out)
    }

    /// An element that is read, or the statement that writes it; and the text behind. The variable's name is before
    /// `text`.
    fn access<'a>(&self, kept: &Kept, text: &'a str) -> Result<(String, &'a str), String> {
        let end = closing(text).ok_or("brackets that do not close")?;
        let place = format!("{}[{}]", self.name, self.converted(kept, &text[1..end])?);
        let behind = &text[end + 1..];
        let read = [&kept.read[0], place.as_str(), &kept.read[1]].concat();
        let assigned = behind.trim_start();
        let assignment = assigned.split_once('=').filter(|(sign, value)| {
            matches!(*sign, "" | "+" | "-" | "*" | "/") && !value.starts_with('=')
        });
        let Some((sign, value)) = assignment else {
            let component = assigned.strip_prefix('.').map(|rest| &rest[token(rest)..]);
            if component.is_some_and(|rest| rest.starts_with(" = ") || rest.starts_with(" += ")) {
                return Err(format!("a component of {} is written", self.name));
            }
            return Ok((read, behind));
        };
        let end = value.find(';').ok_or("a statement that does not end")?;
        let (value, rest) = (self.converted(kept, value[..end].trim())?, &value[end..]);
        let value = if sign.is_empty() { value } else { format!("{read} {sign} ({value})") };
        Ok((format!("{place} = {}{value}{}", kept.written[0], kept.written[1]), rest))
    }
}

/// Where a name stands for something else than the storage variable: from a declaration of its own to the end of the
/// block, or of the function whose parameter it is.
#[derive(Default)]
struct Scopes {
    braces: usize,
    parentheses: usize,
    declares: bool,
    /// The braces within which the name is another's.
    hidden: Option<usize>,
}

impl Scopes {
    /// Goes on by a token, which may be the name, and before a colon; tells whether the name is another's there.
    fn see(&mut self, word: &str, of_this: bool, before_colon: bool) -> bool {
        let parameter = before_colon && self.braces == 0 && self.parentheses > 0;
        if of_this && (self.declares || parameter) {
            self.hidden = Some(self.hidden.unwrap_or(self.braces + usize::from(parameter)));
            return true;
        }
        match word {
            "{" => self.braces += 1,
            "}" => {
                self.braces = self.braces.saturating_sub(1);
                self.hidden = self.hidden.filter(|braces| self.braces >= *braces);
            }
            "(" => self.parentheses += 1,
            ")" => self.parentheses = self.parentheses.saturating_sub(1),
            _ => {}
        }
        if !word.trim().is_empty() {
            self.declares = matches!(word, "let" | "var" | "const");
        }
        self.hidden.is_some()
    }
}

/// The length of the first token: a word, a comment, or a single character.
fn token(text: &str) -> usize {
    let of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match text.chars().next() {
        Some(c) if of_word(c) => text.find(|c| !of_word(c)).unwrap_or(text.len()),
        _ if text.starts_with("//") => text.find('\n').unwrap_or(text.len()),
        Some(c) => c.len_utf8(),
        None => 0,
    }
}

/// Where the bracket that `text` begins with closes.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0;
    text.char_indices().find_map(|(at, c)| {
        match c {
            '[' => open += 1,
            ']' => open -= 1,
            _ => {}
        }
        (open == 0).then_some(at)
    })
}

/// What an alias stands for; itself, where it is none.
fn aliased<'t>(text: &'t str, name: &'t str) -> &'t str {
    let declaration = format!("alias {name} = ");
    let value = |line: &'t str| line.strip_prefix(&declaration)?.split(';').next();
    text.lines().find_map(value).unwrap_or(name)
}
