# SPDX-License-Identifier: MIT
"""Descriptors: spelling, encodings, file names, sizes, encryption."""

from images import (
    CORRUPT,
    DENIED,
    ENCRYPTED,
    LIMIT,
    NOT_FOUND,
    NOT_VMDK,
    OK,
    TRACKED,
    UNSUPPORTED,
    add,
    mono,
)
from vmdkwriter import DDB, Sheet, descriptor, stamp

LINE = 'RW 64 FLAT "disk-flat.vmdk" 0'


def text(body, file="disk-flat.vmdk", entry="disk.vmdk"):
    """A text descriptor over one flat file of 64 sectors: a maker."""

    def make(folder):
        folder.put(file, stamp("text", 0, 64))
        folder.put(entry, body)
        return Sheet().put(0, stamp("text", 0, 64))

    return make


def plain(**how):
    how.setdefault("kind", "monolithicFlat")
    return descriptor([LINE], **how)


def good(name, body, why, **expect):
    add("good-text-" + name, text(body), why, **expect)


def bad(name, body, why, status, **expect):
    expect.setdefault("message", "disk.vmdk")
    add("bad-text-" + name, text(body), why, open=status, **expect)


# -- Line ends, padding, comments, blanks ------------------------------------

good("plain", plain(), "The ordinary text descriptor.", info="type=2,cid=2084216592,version=1,adapter=3,flags=0/0x58")
good("crlf", plain(eol="\r\n"), "Lines end in CR LF.", info="cid=2084216592,adapter=3")
good("crlf-lf-mixed", plain().replace(b"\nCID", b"\r\nCID").replace(b"\nRW", b"\r\nRW"), "CR LF and LF side by side.")
good("no-last-newline", plain(ddb=())[:-1] + b'ddb.x = "1"', "The last line has no end.")
good("extent-is-last-line", b"# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n" + LINE.encode(), "The text ends in an extent line without a line end.")
good("nul-padding", plain() + bytes(700), "NULs behind the text, as qemu leaves them.")
good("nul-then-garbage", plain() + b"\0RW 99 ZERO\nversion=9\n", "What follows the first NUL is not looked at.")
good("bom", b"\xef\xbb\xbf" + plain(), "A byte order mark of UTF-8.")
good("blank-first-line", b"\n" + plain(), "A blank line before everything.")
good("spaces-first-line", b"   \n\t\n" + plain(), "A line of blanks before everything.")
good("no-signature", plain().replace(b"# Disk DescriptorFile\n", b""), "The first comment is missing.")
for name, line in (("hash-joined", "#Disk DescriptorFile"), ("spaced", "# Disk Descriptor File"), ("both", "#Disk Descriptor File"), ("converter", "# Description file created by VMDK stream converter"), ("lower", "# disk descriptorfile")):
    good("signature-" + name, plain().replace(b"# Disk DescriptorFile", line.encode()), "The first line is %s." % line)
good("comments-first", b"# made by hand\n#\n#another\n" + plain(), "Comments before the signature.")
good("comments-anywhere", plain().replace(b"\nCID", b"\n# x\n#y=z\n  # indented\nCID").replace(b"\nRW", b"\n#RW 9 ZERO\nRW"), "Comments between keys and before the extent.")
good("comment-between-extents", descriptor(['RW 32 FLAT "disk-flat.vmdk" 0', "# and the rest", 'RW 32 FLAT "disk-flat.vmdk" 32'], kind="custom"), "A comment between extent lines.", info="extents=2")
good("blank-between-extents", descriptor(['RW 32 FLAT "disk-flat.vmdk" 0', "", "  ", 'RW 32 FLAT "disk-flat.vmdk" 32'], kind="custom"), "Blank lines between extent lines.", info="extents=2")
good("blank-before-extents", plain().replace(b"\nRW", b"\n\nRW"), "A blank line right before the extents.", info="extents=1")
good("extents-apart", descriptor(['RW 32 FLAT "disk-flat.vmdk" 0'], kind="custom") + b'RW 32 FLAT "disk-flat.vmdk" 32\n', "An extent line behind the disk data base.", info="extents=2")
good("no-section-comments", b'version=1\nCID=7c3a9f10\nparentCID=ffffffff\ncreateType="monolithicFlat"\n' + LINE.encode() + b'\nddb.adapterType = "ide"\n', "No comment at all.", info="adapter=1")
good("sections-lower-case", plain().replace(b"# The Disk Data Base", b"# The disk Data Base ").replace(b"# Extent description", b"# extent description"), "Section comments as VirtualBox writes them.")
good("ddb-only-short-comment", plain().replace(b"# The Disk Data Base\n", b""), "Only #DDB announces the data base.")
good("ddb-first", b'# Disk DescriptorFile\nversion=1\n#DDB\nddb.adapterType = "ide"\nCID=7c3a9f10\nparentCID=ffffffff\ncreateType="monolithicFlat"\n' + LINE.encode() + b"\n", "The disk data base comes before the extents.", info="adapter=1,cid=2084216592")
good("ddb-missing", plain(ddb=()).replace(b"# The Disk Data Base\n#DDB\n", b""), "No disk data base.", info="adapter=0")
good("keys-any-order", b'# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nparentCID=ffffffff\n' + LINE.encode() + b"\nencoding=\"UTF-8\"\nCID=7c3a9f10\n", "Keys in an unusual order.", info="cid=2084216592")
good("encoding-before-version", b'# Disk DescriptorFile\nencoding="UTF-8"\nversion=1\n' + plain(encoding=None).split(b"\n", 2)[2], "encoding stands before version.")
good("encoding-very-first", b'encoding="UTF-8"\n' + plain(encoding=None), "encoding stands before everything.")
good("keys-upper-case", plain().replace(b"version=", b"VERSION=").replace(b"CID=7", b"cid=7").replace(b"createType", b"CREATETYPE").replace(b"ddb.adapterType", b"DDB.ADAPTERTYPE"), "Keys in another case.", info="type=2,cid=2084216592,adapter=3")
good("blanks-around-equals", plain().replace(b"=", b" =  ").replace(b"version =  1", b"version=1"), "Blanks around every '='.", info="type=2,cid=2084216592")
good("version-blanks", plain().replace(b"version=1", b" version = 1 "), "Blanks around the version.")
good("version-quoted", plain().replace(b"version=1", b'version="1"'), "The version in quotes.")
good("tabs", plain().replace(b'RW 64 FLAT "', b'\tRW\t64 \t FLAT\t\t"').replace(b'" 0', b'"\t0\t'), "Tabs and several blanks in the extent line.")
good("values-unquoted", plain().replace(b'createType="monolithicFlat"', b"createType=monolithicFlat"), "createType without quotes.", info="type=2")
good("values-single-quoted", plain().replace(b'createType="monolithicFlat"', b"createType='monolithicFlat'"), "createType in single quotes.", info="type=2")
good("cid-quoted", plain().replace(b"CID=7c3a9f10", b'CID="7c3a9f10"'), "The CID in quotes.", info="cid=2084216592")
good("type-missing", plain(kind=None), "createType is missing.")
good("cid-missing", plain(cid=None), "The CID is missing.", info="cid=0")
good("parentcid-missing", plain(parent=None), "parentCID is missing.", info="flags=0/0x10")
good("cid-short", plain(cid="a3db3bc"), "A CID without its leading zero.", info="cid=171815868")
good("cid-upper", plain(cid="7C3A9F10"), "A CID in upper case.", info="cid=2084216592")
good("cid-0x", plain(cid="0x7c3a9f10"), "A CID with 0x.", info="cid=2084216592")
good("cid-zero", plain(cid="00000000"), "A CID of 0.", info="cid=0")
good("cid-fffffffe", plain(cid="fffffffe"), "The CID of a disk nobody wrote to.", info="cid=4294967294")
good("unknown-keys", plain(head=("vendorKey=1", 'x.y="z"', "isNativeSnapshot=\"no\"")), "Keys that nobody knows.")
good("unknown-ddb", plain(ddb=DDB + ('ddb.iofilters = "vmwarelwd"', 'ddb.sidecars = "x.vmfd"', 'ddb.comment = "a\\nb"', 'ddb.toolsVersion = "2147483647"')), "Entries of the data base that nobody knows.")
good("geometry-absurd", plain(ddb=('ddb.geometry.cylinders = "0"', 'ddb.geometry.heads = "-3"', 'ddb.geometry.sectors = "99999999999999999999"', 'ddb.adapterType = "floppy"')), "A geometry that means nothing.", info="adapter=0,cylinders=0")
good("geometry", plain(ddb=('ddb.geometry.cylinders = "16383"', 'ddb.geometry.heads = "16"', 'ddb.geometry.sectors = "63"', 'ddb.adapterType = "ide"', 'ddb.virtualHWVersion = "14"')), "Geometry and hardware version.", info="cylinders=16383,heads=16,sectors=63,adapter=1,hardware=14")
for adapter, number in (("ide", 1), ("buslogic", 2), ("lsilogic", 3), ("legacyESX", 4), ("pvscsi", 5), ("lsisas1068", 6), ("sata", 7), ("nvme", 8)):
    good("adapter-" + adapter.lower(), plain(ddb=('ddb.adapterType = "%s"' % adapter,)), "Adapter type %s." % adapter, info="adapter=%d" % number)
good("long-content-id-empty", plain(ddb=('ddb.longContentID = ""',)), "An empty longContentID.")
good("version-2", plain(version="2"), "Descriptor version 2.", info="version=2")
good("version-3-tracked", plain(version="3", head=("# Change Tracking File", 'changeTrackPath="disk-ctk.vmdk"')), "Descriptor version 3 with a change-tracking file that is not there.", info="version=3,flags=0x%x/0x%x" % (TRACKED, TRACKED))
good("tracked-behind-extents", plain(version="3").replace(b"# The Disk Data Base", b'# Change Tracking File\nchangeTrackPath="disk-ctk.vmdk"\n\n# The Disk Data Base'), "changeTrackPath behind the extents.", info="flags=0x%x/0x%x" % (TRACKED, TRACKED))
good("tracked-outside", plain(version="3", head=('changeTrackPath="/etc/passwd"',)), "changeTrackPath leads outside; it is information and never opened.", info="flags=0x%x/0x%x" % (TRACKED, TRACKED))
good("appended-twice", plain() + b"\0" * 12 + plain().replace(b"RW 64", b"RW 63"), "A second descriptor behind the first one is ignored.")
good("partition-uuid", plain().replace(b'" 0\n', b'" 0 partitionUUID \\\\?\\Volume{2a1b}\n'), "The tail that Player writes for Windows devices.")
good("hint-without-parent", plain(hint="base.vmdk"), "A parent hint, but parentCID says there is none.", info="chain=1")

# -- Encodings ---------------------------------------------------------------

for number, (encoding, codec, name) in enumerate((
    ("UTF-8", "utf-8", "größe-漢字-flat.vmdk"),
    ("utf8", "utf-8", "größe-flat.vmdk"),
    ("GBK", "gbk", "虚拟磁盘-flat.vmdk"),
    ("GB2312", "gb2312", "虚拟-flat.vmdk"),
    ("Big5", "big5", "虛擬磁碟-flat.vmdk"),
    ("Shift_JIS", "shift_jis", "仮想ディスク-flat.vmdk"),
    ("SHIFT-JIS", "shift_jis", "ソ表-flat.vmdk"),
    ("windows-1252", "cp1252", "Größe-café-flat.vmdk"),
    ("windows-949-2000", "cp949", "가상디스크-flat.vmdk"),
    ("EUC-KR", "euc_kr", "가상-flat.vmdk"),
    ("windows-1251", "cp1251", "диск-flat.vmdk"),
    ("ISO-8859-1", "latin-1", "größe-flat.vmdk"),
    ("US-ASCII", "ascii", "ascii-flat.vmdk"),
)):
    add("good-encoding-%02d-%s" % (number, encoding.lower().replace("_", "-")),
        text(descriptor(['RW 64 FLAT "%s" 0' % name], kind="monolithicFlat", encoding=encoding, codec=codec), file=name),
        "File names in %s." % encoding)
add("good-encoding-unknown-ascii", text(plain(encoding="x-martian")), "An unknown encoding, but all names are ASCII.")
add("good-encoding-in-ddb", text(descriptor(['RW 64 FLAT "größe-flat.vmdk" 0'], kind="monolithicFlat", encoding=None, ddb=('ddb.encoding = "windows-1252"',), codec="cp1252"), file="größe-flat.vmdk"), "The encoding stands in the data base.")
add("good-encoding-none-utf8", text(descriptor(['RW 64 FLAT "größe-flat.vmdk" 0'], kind="monolithicFlat", encoding=None), file="größe-flat.vmdk"), "No encoding: UTF-8.")
add("good-encoding-none-1252", text(descriptor(['RW 64 FLAT "größe-flat.vmdk" 0'], kind="monolithicFlat", encoding=None, codec="cp1252"), file="größe-flat.vmdk"), "No encoding and no UTF-8: windows-1252.")
add("good-encoding-option", text(descriptor(['RW 64 FLAT "虚拟-flat.vmdk" 0'], kind="monolithicFlat", encoding=None, codec="gbk"), file="虚拟-flat.vmdk"), "The caller tells the encoding.", encoding="GBK")
add("good-encoding-option-overrides", text(descriptor(['RW 64 FLAT "虚拟-flat.vmdk" 0'], kind="monolithicFlat", encoding="UTF-8", codec="gbk"), file="虚拟-flat.vmdk"), "The caller overrides the encoding.", encoding="GBK")
add("bad-encoding-unknown", text(descriptor(['RW 64 FLAT "虚拟-flat.vmdk" 0'], kind="monolithicFlat", encoding="x-martian", codec="gbk"), file="虚拟-flat.vmdk"),
    "An unknown encoding, and a name that needs it.", open="|".join((UNSUPPORTED, CORRUPT, NOT_FOUND)), message="disk.vmdk")
add("good-encoding-unknown-utf8", text(descriptor(['RW 64 FLAT "größe-flat.vmdk" 0'], kind="monolithicFlat", encoding="x-martian"), file="größe-flat.vmdk"),
    "An unknown encoding, and a name that is UTF-8: taken for that, or refused.", open="|".join((OK, UNSUPPORTED, CORRUPT)))
add("bad-encoding-broken-utf8",
    text(b'# Disk DescriptorFile\nversion=1\nencoding="UTF-8"\nCID=1\nparentCID=ffffffff\nRW 64 FLAT "gr\xf6\xff-flat.vmdk" 0\n'),
    "UTF-8 is declared, but the name is none.", open="|".join((CORRUPT, UNSUPPORTED, NOT_FOUND)))

# -- File names --------------------------------------------------------------


def named(name, shown, why, file=None, **expect):
    file = shown if file is None else file
    add("good-name-" + name, text(descriptor(['RW 64 FLAT "%s" 0' % shown], kind="monolithicFlat"), file=file), why, **expect)


named("blanks", "my disk  one-flat.vmdk", "A name with blanks.")
named("hash", "disk#1-flat.vmdk", "A name with '#', which is no comment.")
named("quotes", 'the "best" disk-flat.vmdk', "A name with quotes.")
named("single-quote", "it's-flat.vmdk", "A name with a single quote.")
named("equals", "a=b-flat.vmdk", "A name with '='.")
named("percent", "100%s%n-flat.vmdk", "A name with percent signs.")
named("looks-like-offset", 'x" 5 y-flat.vmdk', "A name that looks like the end of a line.")
named("subdirectory", "data/disk-flat.vmdk", "A file in a folder beneath.")
named("dot", "./disk-flat.vmdk", "A name that begins with './'.", file="disk-flat.vmdk")
named("backslash-dot", ".\\disk-flat.vmdk", "A name that begins with '.\\'.", file="disk-flat.vmdk")
named("backslash-folder", "data\\disk-flat.vmdk", "A backslash between folder and file.", file="data/disk-flat.vmdk")
named("backslash-literal", "data\\literal-flat.vmdk", "A file whose name really holds a backslash.")
named("case-differs", "DISK-Flat.VMDK", "The file is there in another case.", file="disk-flat.vmdk")
named("dotdot-inside-name", "disk..flat..vmdk", "Two dots inside a name are no step up.")
named("hidden", ".disk-flat.vmdk", "A name that begins with a dot.")
named("tilde", "~-flat.vmdk", "A tilde is not expanded (A5).")
named("dollar", "$HOME-flat.vmdk", "A variable is not expanded (A5).")
named("json", "json:{}-flat.vmdk", "'json:' is part of a name (A5).")
named("nbd", "nbd:localhost:10809", "'nbd:' is part of a name (A5).")
named("no-suffix", "d", "A name of one letter.")
named("long", "n" * 250 + ".img", "A name of 254 bytes.")
named("deep", "/".join("abcdefghij") + "/disk-flat.vmdk", "A file ten folders down.")
add("good-name-entry-with-colon", mono(name="we:ird.vmdk"), "A colon in the name of the entry file.", entry="we:ird.vmdk")
add("good-name-entry-no-suffix", mono(name="disk"), "The entry file has no suffix.", entry="disk")
add("good-name-entry-unicode", mono(name="диск 漢.vmdk"), "The entry file's name is not ASCII.", entry="диск 漢.vmdk")
add("good-name-entry-percent", mono(name="%s%n%x.vmdk"), "Percent signs in the name of the entry file.", entry="%s%n%x.vmdk")
for name, shown in (("json", 'json:{"driver":"nbd","host":"localhost"}'), ("nbd", "nbd:localhost:10809"), ("http", "http://localhost/x"), ("file", "file:///etc/hostname"), ("tilde", "~root"), ("variable", "$HOME")):
    add("bad-name-" + name, text(descriptor(['RW 64 FLAT "%s" 0' % shown], kind="monolithicFlat")), "No protocol and no expansion is known in names (A5).", open="|".join((NOT_FOUND, DENIED, UNSUPPORTED)), message="-")

# -- Sizes -------------------------------------------------------------------


def many(count, name="many.bin", zero_every=0):
    def make(folder):
        lines, disk = [], Sheet()
        data = stamp("many", 0, 64)
        folder.put(name, data)
        out = bytearray()
        for number in range(count):
            if zero_every and number % zero_every:
                lines.append("RW 1 ZERO")
                out += bytes(512)
            else:
                at = number % 64
                lines.append('RW 1 FLAT "%s" %d' % (name, at))
                out += data[at * 512 : at * 512 + 512]
        folder.put("disk.vmdk", descriptor(lines, kind="custom"))
        return disk.put(0, out)
    return make


def files(count):
    def make(folder):
        lines, out = [], bytearray()
        for number in range(count):
            data = stamp("t%d" % number, 0, 2)
            folder.put("disk-f%03d.vmdk" % (number + 1), data)
            lines.append('RW 2 FLAT "disk-f%03d.vmdk" 0' % (number + 1))
            out += data
        folder.put("disk.vmdk", descriptor(lines, kind="twoGbMaxExtentFlat"))
        return Sheet().put(0, out)
    return make


add("good-extents-1000", files(1000), "1,000 extents, more files than may be open at a time.", info="extents=1000")
add("good-extents-200-few-files", files(200), "200 extents with 8 files open at a time.", options="files=8")
add("good-extents-600-one-file", many(600), "600 lines of one file.", info="extents=600")
add("good-extents-65535", many(65535, zero_every=2), "65,535 extents, ZERO and flat in turn.", info="extents=65535", seconds="2")
add("good-extents-100000-allowed", many(100000, zero_every=3), "100,000 extents where the limit is raised.", options="extents=100000", info="extents=100000", seconds="3")
add("bad-extents-100000", many(100000, zero_every=3), "More extents than the default limit (A31).", open=LIMIT, message="disk.vmdk", seconds="1")
add("bad-extents-limit", many(11), "More extents than the caller's limit.", open=LIMIT, message="disk.vmdk;10", options="extents=10")
add("good-extents-at-limit", many(10), "As many extents as the caller's limit.", options="extents=10")
add("good-text-60k", text(plain(head=["# a long comment"] * 3600)), "A descriptor of 60 KB.")
add("good-text-comments-first-3k", text(b"# a long comment\n" * 180 + plain()), "Comments of 3 KB before the signature.")
add("bad-text-17mib", text(b"# Disk DescriptorFile\nversion=1\n" + b"# filler that says nothing at all\n" * (17 * 31000) + plain()), "A descriptor of more than 16 MiB (A8).", open=LIMIT, message="disk.vmdk")
add("good-text-3mib", text(b"# Disk DescriptorFile\nversion=1\n" + b"# filler that says nothing at all\n" * 90000 + plain()[32:]), "A descriptor of 3 MiB.")
add("good-text-limit-raised", text(plain() + b"# more\n" * 1000), "A descriptor below the caller's limit.", options="descriptor=8192")
add("bad-text-limit", text(plain() + b"# more\n" * 1000), "A descriptor above the caller's limit.", open=LIMIT, message="disk.vmdk", options="descriptor=4096")


def endless(folder):
    sheet = Sheet().put(0, b"# Disk DescriptorFile\nversion=1\n" + b"#" * 70000)
    sheet.size = 1 << 40
    folder.put("disk.vmdk", sheet)


add("bad-text-1tib", endless, "A text file of 1 TiB: read at most up to the limit (A8, A10).", open="|".join((LIMIT, CORRUPT)), message="disk.vmdk")
add("bad-text-long-line", text(b"# Disk DescriptorFile\nversion=1\nCID=" + b"f" * 1000000 + b"\n" + plain()[32:]), "A line of 1 MB.", open="|".join((OK, CORRUPT, LIMIT)), read=OK)

# -- Versions, contradictions, encryption ------------------------------------

add("unsupported-text-version-4", text(plain(version="4")), "Descriptor version 4, which vSAN writes.", open=UNSUPPORTED, message="disk.vmdk;version;4")
for version in ("5", "99", "4294967297"):
    add("unsupported-text-version-" + version, text(plain(version=version)), "Descriptor version %s." % version, open="|".join((UNSUPPORTED, CORRUPT)), message="disk.vmdk;version")
for version, name in (("0", "0"), ("-1", "negative"), ("x", "word"), ("", "empty"), ("1.1", "fraction")):
    bad("version-" + name, plain(version=version), "Descriptor version '%s'." % version, "|".join((CORRUPT, UNSUPPORTED)), message="disk.vmdk;version")
bad("cid-word", plain(cid="hello"), "A CID that is no number.", CORRUPT)
bad("cid-negative", plain(cid="-1"), "A negative CID.", CORRUPT)
bad("cid-empty", plain(cid=""), "An empty CID.", OK + "|" + CORRUPT, read=OK)
bad("cid-nine-digits", plain(cid="17c3a9f10"), "A CID of nine digits.", OK + "|" + CORRUPT, read=OK)
bad("parentcid-word", plain(parent="nobody"), "A parentCID that is no number.", CORRUPT)
bad("cr-only", plain(eol="\r"), "Lines end in a lone CR.", "|".join((OK, NOT_VMDK, CORRUPT)), read=OK)
bad("nul-in-first-line", b"# Disk\0DescriptorFile\n" + plain()[22:], "A NUL in the first line: nothing follows.", "|".join((NOT_VMDK, CORRUPT)))
bad("only-signature", b"# Disk DescriptorFile\n", "Nothing but the signature.", "|".join((NOT_VMDK, CORRUPT)))
bad("only-version", b"version=1\n", "Nothing but the version.", "|".join((NOT_VMDK, CORRUPT)))
bad("binary-inside", plain().replace(b"CID=7c3a9f10", b"CID=7c3a9f10\n\x01\x02\x03\x80\xff"), "A line of control characters.", "|".join((OK, CORRUPT)), read=OK)

ENCRYPTED_SIGNS = (
    ("keys", plain(head=('encryptionKeys="vmware:key/list/(pair/(fqid/<VMWARE-NULL>/x,HMAC-SHA-256,abc))"',)), "encryptionKeys of vSphere."),
    ("keyid", plain(head=('keyID="52 4b 65"',)), "keyID of vSphere."),
    ("iofilter", plain(ddb=DDB + ('ddb.iofilters = "vmwarevmcrypt"',)), "The I/O filter that encrypts."),
    ("iofilter-list", plain(ddb=DDB + ('ddb.iofilters = "vmwarelwd,vmwarevmcrypt"',)), "The I/O filter that encrypts, among others."),
    ("keysafe", b'encryption.keySafe = "vmware:key/list/(pair/(phrase/abc))"\nencryption.data = "q83vEjRWeJASNFZ4kBI0"\n', "A descriptor of Workstation that is encrypted as a whole."),
    ("data-only", b'encryption.data = "q83vEjRWeJASNFZ4kBI0"\n', "Only the encrypted data."),
    ("keysafe-encoding", b'.encoding = "UTF-8"\nencryption.keySafe = "vmware:key/list/(pair/(phrase/abc))"\nencryption.data = "q83v"\n', "The encrypted descriptor begins with its encoding."),
    ("keysafe-with-version", plain(head=('encryption.keySafe = "vmware:key/list/(x)"',)), "A key safe beside the ordinary keys."),
)
for name, body, why in ENCRYPTED_SIGNS:
    add("bad-encrypted-" + name, text(body), why, open=ENCRYPTED, message="disk.vmdk;encrypt")
add("bad-encrypted-embedded", mono(words=dict(head=('encryptionKeys="vmware:key/x"',))), "encryptionKeys in an embedded descriptor.", open=ENCRYPTED, message="disk.vmdk;encrypt")
add("good-text-encryption-in-comment", text(plain().replace(b"\nCID", b"\n# encryption.data = \"no\"\nCID")), "The word encryption in a comment.")

# -- Text made to cost time or memory ----------------------------------------

HEAD = b"# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
bad("quotes", HEAD + b"RW 64 FLAT " + b'"' * 3000000 + b"\n", "An extent line of nothing but quotes.", CORRUPT + "|" + DENIED)
bad("quotes-numbers", HEAD + b"RW 64 FLAT " + b'"1 ' * 1000000 + b"\n", "An extent line of quotes that could each be the last.", CORRUPT + "|" + DENIED)
bad("quotes-lines", HEAD + (b"RW 64 FLAT " + b'"' * 8000 + b"x\n") * 300, "Many extent lines of quotes.", CORRUPT)
bad("keys-alike", HEAD + b"".join(b"k" * 60 + b"%07d=v\n" % i for i in range(60000)), "Sixty thousand long keys that begin alike.", CORRUPT)
bad("keys-too-many", HEAD + b"".join(b"%d=\n" % i for i in range(70000)), "More keys than any descriptor has.", LIMIT)
bad("name-too-long", HEAD + b'RW 64 FLAT "' + b"n" * 5000 + b'" 0\n', "A name longer than a path can be.", DENIED)
bad("utf16-le", b"\xff\xfe" + plain().decode("ascii").encode("utf-16-le"), "UTF-16, little-endian.", UNSUPPORTED, message="disk.vmdk;UTF-16")
bad("utf16-be", b"\xfe\xff" + plain().decode("ascii").encode("utf-16-be"), "UTF-16, big-endian.", UNSUPPORTED, message="disk.vmdk;UTF-16")
good("encoding-odd-name", plain().replace(b"version=1\n", b'version=1\nencoding="../../../tmp/x"\n'), "A code page that is no name of one.")


def _many_spellings(folder):
    for number in range(1500):
        folder.put("filler-%04d.bin" % number, b"")
    folder.put("extent.bin", stamp("text", 0, 64))
    names = ["".join(c.upper() if bits >> i & 1 else c for i, c in enumerate("extent")) + ".bin" for bits in range(1, 64)]
    folder.put("disk.vmdk", descriptor(['RW 64 FLAT "%s" 0' % name for name in names * 60], kind="custom"))


add("good-text-many-spellings", _many_spellings, "Thousands of lines spell one name in other cases, in a large folder.", open=OK, capacity=64 * 512 * 63 * 60, read=OK, sha256="-", probes="-")
