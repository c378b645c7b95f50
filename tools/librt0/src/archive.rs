//! An archive as GNU and LLVM write it (System V's format: a header of 60 bytes of text before each file; the first file, named
//! `/`, is the index: a count, the place of the member for each name, the names).

/// A file in an archive.
pub(crate) struct Member {
    pub(crate) name: String,
    /// The names that the archive's index has of it, each with its rank there: lower ones come first.
    pub(crate) index: Vec<(u8, String)>,
    pub(crate) data: Vec<u8>,
}

const MAGIC: &[u8] = b"!<arch>\n";
const HEADER: usize = 60;

/// The archive's bytes.
pub(crate) fn written(members: &[Member]) -> Vec<u8> {
    let mut names: Vec<(u8, &str, usize)> = Vec::new();
    for (at, member) in members.iter().enumerate() {
        names.extend(member.index.iter().map(|(rank, name)| (*rank, name.as_str(), at)));
    }
    names.sort();
    let text: usize = names.iter().map(|(_, name, _)| name.len() + 1).sum();
    let index_len = even(4 + 4 * names.len() + text);

    let mut place = MAGIC.len() + HEADER + index_len;
    let mut places = Vec::new();
    for member in members {
        places.push(u32::try_from(place).expect("a small archive"));
        place += HEADER + even(member.data.len());
    }

    let mut index = u32::try_from(names.len()).expect("few names").to_be_bytes().to_vec();
    index.extend(names.iter().flat_map(|(_, _, member)| places[*member].to_be_bytes()));
    index.extend(names.iter().flat_map(|(_, name, _)| name.bytes().chain([0])));
    index.resize(index_len, 0);

    let mut bytes = MAGIC.to_vec();
    let files = members.iter().map(|member| (member.name.as_str(), &member.data));
    for (name, data) in std::iter::once(("", &index)).chain(files) {
        // Name, time, owner, group, mode, size: the same bytes whoever makes it, and when.
        let header = format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", format!("{name}/"), 0, 0, 0, 644, data.len());
        assert_eq!(header.len(), HEADER, "a short name: {name}");
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes.resize(even(bytes.len()), b'\n');
    }
    bytes
}

fn even(len: usize) -> usize {
    len.next_multiple_of(2)
}
