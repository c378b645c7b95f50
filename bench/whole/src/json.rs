//! Records are read from a document of two megabytes, some are taken out and some changed, and the rest is written again,
//! compact and indented.

use alloc::format;
use alloc::string::String;

use serde_json::Value;

use crate::input::{Random, Sum, word};

const RECORDS: usize = 8_000;
const ROUNDS: usize = 12;

/// The number for all that is written.
pub fn work() -> u64 {
    let document = document();
    let mut sum = Sum::new();
    for round in 0..ROUNDS {
        let mut value: Value = serde_json::from_str(&document).expect("the document is JSON");
        change(&mut value, round);
        sum.add(serde_json::to_string(&value).expect("a value can be written").as_bytes());
        if round % 4 == 0 {
            sum.add(serde_json::to_string_pretty(&value).expect("a value can be written").as_bytes());
        }
    }
    sum.finish()
}

/// An array of records with what JSON has: objects, arrays, strings with escapes, numbers, `true`, `false`, `null`.
fn document() -> String {
    let mut random = Random::new(0x150);
    let mut out = String::from("[");
    for number in 0..RECORDS {
        if number > 0 {
            out.push_str(",\n");
        }
        out.push_str(&format!("{{\"id\": {number}, \"name\": \""));
        word(&mut random, &mut out);
        out.push_str(random.of(&[" ", "\\n", "\\u00e9", " \\\"", "\\\\"]));
        word(&mut random, &mut out);
        out.push_str("\", \"tags\": [");
        for tag in 0..random.below(6) {
            out.push_str(if tag > 0 { ", \"" } else { "\"" });
            word(&mut random, &mut out);
            out.push('"');
        }
        let (whole, part) = (random.below(100_000), random.below(1000));
        out.push_str(&format!("], \"price\": {whole}.{part:03}, \"place\": {{\"x\": -{part}, \"y\": {whole}e-3}}, "));
        let (flag, parent) = (random.of(&["true", "false"]), random.of(&["null", "17", "\"none\""]));
        out.push_str(&format!("\"flag\": {flag}, \"parent\": {parent}, \"text\": \""));
        for _ in 0..random.below(16) {
            word(&mut random, &mut out);
            out.push(' ');
        }
        out.push_str("\"}");
    }
    out.push(']');
    out
}

/// Another seventh of the records goes in each round; in the others a member is gone, one is new and one has changed.
fn change(value: &mut Value, round: usize) {
    let Value::Array(records) = value else { unreachable!("the document is an array") };
    records.retain(|record| {
        record["id"].as_u64() != Some(0) && record["id"].as_u64().map(|id| id as usize % 7) != Some(round % 7)
    });
    for record in records {
        let Value::Object(record) = record else { unreachable!("each record is an object") };
        let text = record.remove("text").unwrap_or_default();
        let words = text.as_str().map_or(0, |text| text.split_whitespace().count());
        record.insert("words".into(), words.into());
        if let Some(Value::Array(tags)) = record.get_mut("tags") {
            tags.push(format!("round {round}").into());
            tags.reverse();
        }
    }
}
