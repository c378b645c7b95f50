//! Tables of constants, read from Rust sources and C headers without compiling them, so that every port's can be
//! compared on any host.

use anyhow::{Context, Result, bail};
use std::collections::HashMap;
use std::path::Path;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{BinOp, Expr, Ident, Item, Lit, LitInt, LitStr, Token, UnOp};

/// The constants of one source, by name.
pub(crate) struct Table {
    /// The source's name, for messages.
    pub(crate) source: String,
    /// Bits of the port's machine word.
    bits: u32,
    prefix: &'static str,
    /// Whether a leading zero means octal, as in C.
    octal: bool,
    /// Which argument of `number(...)` is the value, for tables with a column for each CPU.
    column: usize,
    names: Vec<String>,
    values: HashMap<String, Expr>,
}

impl Table {
    /// The constants of Rust files, at their top, in `impl` blocks and in `errno!` lists. A name that has
    /// the `prefix` is also known without it, in capitals. Of two constants with one name the first counts, so the file
    /// for fewer CPUs comes first.
    pub(crate) fn rust(
        source: impl Into<String>,
        bits: u32,
        files: &[impl AsRef<Path>],
        prefix: &'static str,
    ) -> Result<Table> {
        let mut table = Table {
            source: source.into(),
            bits,
            prefix,
            octal: false,
            column: 0,
            names: vec![],
            values: HashMap::new(),
        };
        for file in files {
            let file = file.as_ref();
            let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
            let syntax = syn::parse_file(&text).with_context(|| file.display().to_string())?;
            for item in syntax.items {
                table.item(item)?;
            }
        }
        Ok(table)
    }

    /// The constants that C headers `#define`. Headers that this machine does not have are skipped; `None` if it has
    /// none.
    pub(crate) fn c(
        source: impl Into<String>,
        bits: u32,
        files: &[impl AsRef<Path>],
        prefix: &'static str,
    ) -> Option<Table> {
        let mut table = Table {
            source: source.into(),
            bits,
            prefix,
            octal: true,
            column: 0,
            names: vec![],
            values: HashMap::new(),
        };
        for text in files.iter().filter_map(|file| std::fs::read_to_string(file).ok()) {
            for line in text.lines() {
                let Some((_, definition)) = line.split_once("define").filter(|(before, _)| before.starts_with('#'))
                else {
                    continue;
                };
                let Some((name, value)) = definition.trim().split_once(char::is_whitespace) else { continue };
                let value = value.split("/*").next().unwrap_or_default().replace('~', "!");
                // A definition that is no expression is not one of these constants.
                if let Ok(value) = syn::parse_str(value.trim()) {
                    table.insert(name.into(), value);
                }
            }
        }
        (!table.names.is_empty()).then_some(table)
    }

    /// The same table, for the CPU that has this column.
    pub(crate) fn column(self, column: usize) -> Table {
        Table { column, ..self }
    }

    fn item(&mut self, item: Item) -> Result<()> {
        match item {
            Item::Const(item) if !is_text(&item.ty) => self.insert(item.ident.to_string(), *item.expr),
            Item::Impl(block) => {
                for item in block.items {
                    match item {
                        syn::ImplItem::Const(item) if !is_text(&item.ty) => {
                            self.insert(item.ident.to_string(), item.expr);
                        }
                        _ => {}
                    }
                }
            }
            Item::Macro(call) if call.mac.path.is_ident("errno") => {
                for (name, value) in call.mac.parse_body::<ErrnoList>()?.0 {
                    self.insert(name.to_string(), value);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Adds a constant. The elements of a list become `NAME[0]` and so on.
    fn insert(&mut self, name: String, value: Expr) {
        let elements = match &value {
            Expr::Reference(reference) => match &*reference.expr {
                Expr::Array(array) => Some(&array.elems),
                _ => None,
            },
            _ => None,
        };
        if let Some(elements) = elements {
            for (index, element) in elements.iter().enumerate() {
                self.insert(format!("{name}[{index}]"), element.clone());
            }
        } else if !self.values.contains_key(&name) {
            if let Some(call) = name.strip_prefix(self.prefix).filter(|call| *call != name) {
                self.values.insert(call.to_uppercase(), value.clone());
            }
            self.names.push(name.clone());
            self.values.insert(name, value);
        }
    }

    /// The names, in the source's order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Whether a constant is made only of others in the same table and of system call numbers.
    pub(crate) fn is_derived(&self, name: &str) -> bool {
        fn only_names(table: &Table, value: &Expr) -> bool {
            match value {
                Expr::Path(path) => {
                    table.values.contains_key(&last(path))
                        || path.path.segments.first().is_some_and(|it| it.ident == "nr")
                }
                Expr::Binary(both) => only_names(table, &both.left) && only_names(table, &both.right),
                _ => false,
            }
        }
        only_names(self, &self.values[name])
    }

    /// The value of an expression of this table's names; a negative value is given as the port's machine word with the
    /// same bits. `None` if the table lacks a name.
    pub(crate) fn value(&self, expression: &str) -> Result<Option<i128>> {
        let parsed = match self.values.get(expression) {
            Some(value) => value.clone(),
            None => syn::parse_str(expression)?,
        };
        let value = self.eval(&parsed).with_context(|| format!("{expression} in {}", self.source))?;
        let word = |value: i128| if value < 0 { value & i128::from(u64::MAX >> (64 - self.bits)) } else { value };
        Ok(value.map(word))
    }

    fn eval(&self, value: &Expr) -> Result<Option<i128>> {
        let bool = |condition| Some(i128::from(condition));
        Ok(match value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Int(int) => Some(self.literal(int)?),
                Lit::Bool(it) => bool(it.value),
                _ => None,
            },
            Expr::Paren(inner) => self.eval(&inner.expr)?,
            Expr::Group(inner) => self.eval(&inner.expr)?,
            // These are numbers and bit masks of a kernel, and no cast narrows one.
            Expr::Cast(cast) => self.eval(&cast.expr)?,
            Expr::Unary(unary) => self.eval(&unary.expr)?.map(|value| match unary.op {
                UnOp::Neg(_) => -value,
                _ => !value,
            }),
            Expr::Binary(both) => {
                let (Some(left), Some(right)) = (self.eval(&both.left)?, self.eval(&both.right)?) else {
                    return Ok(None);
                };
                Some(match both.op {
                    BinOp::Add(_) => left + right,
                    BinOp::Sub(_) => left - right,
                    BinOp::BitOr(_) => left | right,
                    BinOp::Shl(_) => left << right,
                    BinOp::Eq(_) => i128::from(left == right),
                    _ => bail!("an operator that this test does not know"),
                })
            }
            Expr::If(choice) => {
                let Some(condition) = self.eval(&choice.cond)? else { return Ok(None) };
                match (&choice.then_branch.stmts[..], &choice.else_branch) {
                    ([syn::Stmt::Expr(then, None)], Some((_, otherwise))) => {
                        self.eval(if condition == 0 { otherwise } else { then })?
                    }
                    _ => bail!("a choice that this test does not know"),
                }
            }
            Expr::Block(block) => match &block.block.stmts[..] {
                [syn::Stmt::Expr(inner, None)] => self.eval(inner)?,
                _ => bail!("a block that this test does not know"),
            },
            // It is the size of `usize`: the sources take no other.
            Expr::Call(call) if matches!(&*call.func, Expr::Path(path) if last(path) == "size_of") => {
                Some(i128::from(self.bits / 8))
            }
            Expr::Call(call) if matches!(&*call.func, Expr::Path(path) if last(path) == "number") => {
                self.eval(call.args.iter().nth(self.column).context("a row without a number for this CPU")?)?
            }
            Expr::Path(path) => {
                let whole: Vec<_> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
                match whole.join("::").as_str() {
                    "usize::MAX" => Some((1 << self.bits) - 1),
                    "i64::MAX" => Some(i64::MAX.into()),
                    // The ABIs of the 64-bit ports keep addends beside the relocations, those of the others do not.
                    "Current::RELA" => bool(self.bits == 64),
                    _ => match self.values.get(&last(path)) {
                        Some(value) => self.eval(value)?,
                        None => None,
                    },
                }
            }
            _ => None,
        })
    }

    fn literal(&self, int: &LitInt) -> Result<i128> {
        let digits = int.base10_digits();
        if self.octal && int.to_string().starts_with('0') && !int.to_string().starts_with("0x") {
            return Ok(i128::from_str_radix(digits, 8)?);
        }
        Ok(digits.parse()?)
    }
}

/// Whether a constant is a string, not a number.
fn is_text(kind: &syn::Type) -> bool {
    matches!(kind, syn::Type::Reference(to) if matches!(&*to.elem, syn::Type::Path(path) if path.path.is_ident("str")))
}

fn last(path: &syn::ExprPath) -> String {
    path.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default()
}

/// The arguments of `errno!`: the list's source, then `NAME = number` for each error.
struct ErrnoList(Vec<(Ident, Expr)>);

impl Parse for ErrnoList {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let entry = |input: ParseStream<'_>| {
            let name = input.parse()?;
            input.parse::<Token![=]>()?;
            Ok((name, input.parse()?))
        };
        input.parse::<LitStr>()?;
        input.parse::<Token![,]>()?;
        Ok(ErrnoList(Punctuated::<_, Token![,]>::parse_terminated_with(input, entry)?.into_iter().collect()))
    }
}
