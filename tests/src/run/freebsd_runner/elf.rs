//! What FreeBSD's kernel reads in an executable (`sys/kern/imgact_elf.c`), and what it refuses.

use anyhow::{Result, bail};
use object::LittleEndian;
use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};

use crate::run::tracer::tracee::Class;

/// `ELFOSABI_FREEBSD`.
const OSABI_FREEBSD: u8 = 9;

/// `PAGE_SIZE` on x86.
pub(super) const PAGE: u64 = 4096;

/// A program that FreeBSD's kernel would execute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    /// 32 or 64 bits.
    pub class: Class,
    /// Whether it is position-independent (`ET_DYN`).
    pub position_independent: bool,
    /// The entry point, as linked.
    pub entry: u64,
    /// The loaded segments, as linked.
    pub segments: Vec<Segment>,
    /// Address of the program headers, as linked.
    pub headers: u64,
    /// Size of a program header.
    pub header_size: u64,
    /// Number of program headers.
    pub header_count: u64,
    /// `__FreeBSD_version` of the ABI note; without a note the kernel takes it for 0.
    pub osrel: Option<u32>,
}

/// A `PT_LOAD` segment, rounded to pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// First page.
    pub start: u64,
    /// End of the last page.
    pub end: u64,
    /// Whether it may be executed.
    pub executable: bool,
}

impl Image {
    /// Reads an executable as the kernel would.
    ///
    /// # Errors
    /// Why the kernel refuses the file, with ENOEXEC.
    pub(super) fn parse(file: &[u8]) -> Result<Image> {
        match file {
            [0x7f, b'E', b'L', b'F', 1, 1, ..] => read::<FileHeader32<LittleEndian>>(file, elf::EM_386, Class::Bits32),
            [0x7f, b'E', b'L', b'F', 2, 1, ..] => {
                read::<FileHeader64<LittleEndian>>(file, elf::EM_X86_64, Class::Bits64)
            }
            _ => bail!("ENOEXEC: not a little-endian ELF file"),
        }
    }

    /// First page of the text segment: `vm_taddr`.
    #[must_use]
    pub(super) fn text_start(&self) -> u64 {
        self.text_and_data().0.map_or(0, |segment| segment.start)
    }

    /// First page of the data segment: `vm_daddr`.
    #[must_use]
    pub(super) fn data_start(&self) -> u64 {
        let (text, data) = self.text_and_data();
        data.or(text).map_or(0, |segment| segment.start)
    }

    /// The largest executable segment is the text, the last other one the data (`__elfN(load_sections)`).
    fn text_and_data(&self) -> (Option<Segment>, Option<Segment>) {
        let size = |segment: &Segment| segment.end - segment.start;
        let mut text: Option<Segment> = None;
        let mut data: Option<Segment> = None;
        for segment in &self.segments {
            if segment.executable && text.is_none_or(|text| size(&text) < size(segment)) {
                text = Some(*segment);
            } else {
                data = Some(*segment);
            }
        }
        (text, data)
    }

    /// The first and the last address of the whole program, as linked.
    #[must_use]
    pub(super) fn span(&self) -> (u64, u64) {
        let start = self.segments.iter().map(|segment| segment.start).min().unwrap_or(0);
        let end = self.segments.iter().map(|segment| segment.end).max().unwrap_or(0);
        (start, end)
    }
}

fn read<Header: FileHeader<Endian = LittleEndian>>(file: &[u8], machine: u16, class: Class) -> Result<Image> {
    let endian = LittleEndian;
    let header = Header::parse(file)?;
    if header.e_machine(endian) != machine {
        bail!("ENOEXEC: machine {} is not this CPU's", header.e_machine(endian));
    }
    let position_independent = match header.e_type(endian) {
        elf::ET_EXEC => false,
        elf::ET_DYN => true,
        other => bail!("ENOEXEC: type {other} is not executable"),
    };
    let program_headers = header.program_headers(endian, file)?;
    let mut osrel = None;
    let mut segments = Vec::new();
    let mut headers = 0;
    let mut dynamic = false;
    for program_header in program_headers {
        if let Some(mut notes) = program_header.notes(endian, file)? {
            while let Some(note) = notes.next()? {
                // NT_FREEBSD_ABI_TAG is 1; the length of the name includes its NUL.
                if note.name_bytes() == b"FreeBSD\0" && note.n_type(endian) == 1 {
                    osrel = note.desc().first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
                }
            }
        }
        let (address, memory): (u64, u64) =
            (program_header.p_vaddr(endian).into(), program_header.p_memsz(endian).into());
        let (offset, in_file): (u64, u64) =
            (program_header.p_offset(endian).into(), program_header.p_filesz(endian).into());
        match program_header.p_type(endian) {
            elf::PT_INTERP => dynamic = true,
            elf::PT_LOAD if memory > 0 => {
                let executable = program_header.p_flags(endian) & elf::PF_X != 0;
                let end = (address + memory).next_multiple_of(PAGE);
                segments.push(Segment { start: address / PAGE * PAGE, end, executable });
                let table: u64 = header.e_phoff(endian).into();
                if (offset..offset + in_file).contains(&table) {
                    headers = address + table - offset;
                }
            }
            _ => {}
        }
    }
    if header.e_ident().os_abi != OSABI_FREEBSD && osrel.is_none() {
        bail!("ENOEXEC: neither EI_OSABI 9 nor a FreeBSD ABI note, so FreeBSD does not take it for its own");
    }
    if dynamic {
        bail!("it asks for a dynamic linker, and the runner has none");
    }
    if segments.is_empty() {
        bail!("ENOEXEC: nothing to load");
    }
    Ok(Image {
        class,
        position_independent,
        entry: header.e_entry(endian).into(),
        segments,
        headers,
        header_size: header.e_phentsize(endian).into(),
        header_count: header.e_phnum(endian).into(),
        osrel,
    })
}
