/* SPDX-License-Identifier: MIT */
/**
 * @file vmdk.h
 * @brief Read, write, create and convert VMware VMDK virtual disks of every kind.
 *
 * @section conv Conventions
 *  - Every function that can fail returns a ::vmdk_status; ::VMDK_OK is 0.
 *    The detail of the last failure on this thread is vmdk_last_error().
 *  - Results come back through pointers named `out_...`, the last parameters.
 *    On failure they hold NULL or 0, except where a function says otherwise.
 *  - A pointer the library hands out through `out_...` belongs to the caller,
 *    who gives it back with the function named there. `const char *` return
 *    values belong to the library and are never freed.
 *  - Paths, names and texts are UTF-8 and end in NUL. Offsets, lengths and sizes
 *    are bytes. A sector is 512 bytes.
 *  - Pointers must not be NULL unless the parameter says "may be NULL"; NULL is
 *    answered with ::VMDK_ERR_INVALID_ARGUMENT, never with a crash.
 *  - No C++ exception and no signal leaves the library, and it never writes to
 *    standard output or standard error.
 *
 * @section threads Threads
 *  Different disks are independent. On one disk any number of threads may call
 *  vmdk_read_at(), vmdk_map_at() and the vmdk_get functions at the same time;
 *  reads do not wait for each other. vmdk_write_at(), vmdk_zero_at(),
 *  vmdk_discard_at(), vmdk_flush() and vmdk_set_text() may be called from any
 *  thread, too, also beside reads; each takes the disk for itself inside the
 *  library, so that no read sees half of a write. Only vmdk_close() must not
 *  run beside another call on the same disk. The library starts threads of its
 *  own only where vmdk_open_options::threads asks for them, and for as long as a
 *  conversion runs that vmdk_convert_options::threads does not keep to one.
 *
 * @section abi Structures that can grow
 *  The first member of every structure here is `struct_size`; the caller sets
 *  it to `sizeof` of the structure it was compiled with. Members are only ever
 *  appended. In options, zero in every other member means "default", so
 *  `{ .struct_size = sizeof(o) }` is a complete set of options. A library older
 *  than its caller accepts the longer structure as long as the part it does not
 *  know is zero, and answers ::VMDK_ERR_UNSUPPORTED otherwise. Structures the
 *  library fills are filled up to the size the caller set; a part this library
 *  does not know is set to zero.
 *
 * @section spec The format
 *  "VDF" below is VMware's note "Virtual Disk Format 1.1"; docs/format.md says
 *  where images in the field differ from it and what this library does then.
 */
#ifndef VMDK_H
#define VMDK_H

#include <stddef.h>
#include <stdint.h>

#ifndef VMDK_API /**< Marks what the shared library exports. */
#if defined(_WIN32) && defined(VMDK_BUILDING)
#define VMDK_API __declspec(dllexport)
#elif defined(_WIN32) && !defined(VMDK_STATIC)
#define VMDK_API __declspec(dllimport)
#elif defined(__GNUC__)
#define VMDK_API __attribute__((visibility("default")))
#else
#define VMDK_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* -- Library ------------------------------------------------------------- */

#define VMDK_VERSION_MAJOR 1 /**< Changes when programs must be rebuilt. */
#define VMDK_VERSION_MINOR 0 /**< Changes when functions are added. */
#define VMDK_VERSION_PATCH 0 /**< Changes with every release. */

/**
 * @brief Version of the loaded library as "major.minor.patch".
 * @return A text of the library's, never NULL.
 * @par Threads
 * May be called at any time from any thread.
 * @since 1.0
 */
VMDK_API const char *vmdk_version_string(void);

/**
 * @brief Version of the loaded library as a number to compare.
 * @return major * 1000000 + minor * 1000 + patch.
 * @par Threads
 * May be called at any time from any thread.
 * @since 1.0
 */
VMDK_API uint32_t vmdk_version_number(void);

/* -- Errors -------------------------------------------------------------- */

/** Result of a call: one of the VMDK_ERR constants. Its size is fixed, the set
 *  of values is not: treat an unknown one as ::VMDK_ERR_INTERNAL. */
typedef int32_t vmdk_status;

/** Values of ::vmdk_status. Numbers are never reused. */
enum vmdk_status_values {
    VMDK_OK = 0,                   /**< Success. */
    VMDK_ERR_INVALID_ARGUMENT = 1, /**< The call itself is wrong. */
    VMDK_ERR_OUT_OF_RANGE = 2,     /**< Offset or length beyond the disk, or a buffer too small. */
    VMDK_ERR_NO_MEMORY = 3,        /**< An allocation failed. */
    VMDK_ERR_NOT_FOUND = 4,        /**< A file, member or key is not there. */
    VMDK_ERR_EXISTS = 5,           /**< The file to create is there already. */
    VMDK_ERR_ACCESS = 6,           /**< The system refused access. */
    VMDK_ERR_LOCKED = 7,           /**< Someone else has the disk open to write. */
    VMDK_ERR_IO = 8,               /**< Reading or writing a file failed. */
    VMDK_ERR_NO_SPACE = 9,         /**< The file system is full. */
    VMDK_ERR_NOT_VMDK = 10,        /**< Not recognised as a VMDK. */
    VMDK_ERR_CORRUPT = 11,         /**< The file breaks the format. */
    VMDK_ERR_UNSUPPORTED = 12,     /**< Valid, but not implemented here. */
    VMDK_ERR_PATH_DENIED = 13,     /**< The path policy forbids a named file. */
    VMDK_ERR_LIMIT = 14,           /**< A limit in ::vmdk_limits was exceeded. */
    VMDK_ERR_PARENT_MISSING = 15,  /**< The parent disk cannot be found. */
    VMDK_ERR_PARENT_CHANGED = 16,  /**< The parent is not the one snapshotted. */
    VMDK_ERR_READ_ONLY = 17,       /**< The disk was opened to read only. */
    VMDK_ERR_CANCELLED = 18,       /**< A callback asked to stop. */
    VMDK_ERR_POISONED = 19,        /**< An earlier write failed; check the disk. */
    VMDK_ERR_ENCRYPTED = 20,       /**< The disk is encrypted. */
    VMDK_ERR_INTERNAL = 21         /**< A defect of this library. */
};

/**
 * @brief Short English name of a status, such as "corrupt image".
 * @param status  Any number.
 * @return A text of the library's, never NULL; "unknown status" for a number
 *         this version does not know.
 * @par Threads
 * May be called at any time from any thread.
 * @since 1.0
 */
VMDK_API const char *vmdk_status_string(vmdk_status status);

/** The detail of a failure. Plain bytes; nothing to free. */
typedef struct vmdk_error {
    uint32_t struct_size; /**< Size of this structure in this library. */
    vmdk_status status;   /**< What the call returned. */
    int32_t os_error;     /**< errno behind it, or 0. */
    uint32_t link;        /**< Disk of the chain, 0 the one opened; UINT32_MAX unknown. */
    uint32_t extent;      /**< Extent in it; UINT32_MAX unknown. */
    uint32_t reserved;    /**< Zero. */
    uint64_t offset;      /**< Guest offset; UINT64_MAX unknown. */
    char message[768];    /**< file: what, where, why; one line, UTF-8. */
    char hint[256];       /**< What the caller can do about it; may be empty. */
} vmdk_error;

/**
 * @brief Detail of the last failing call on this thread.
 *
 * A call that succeeds does not change it. Before the first failure its status
 * is ::VMDK_OK and its texts are empty. Text that comes from a file has its
 * control characters replaced, so that it is safe to print.
 *
 * @return Never NULL. It belongs to the library, lives as long as the thread and
 *         changes with the next failing call on this thread.
 * @par Threads
 * Each thread has its own.
 * @since 1.0
 */
VMDK_API const vmdk_error *vmdk_last_error(void);

/* -- Options ------------------------------------------------------------- */

/** An open disk: the file named to vmdk_open() and all it rests on. Made by
 *  vmdk_open(), ended by vmdk_close(). */
typedef struct vmdk_disk vmdk_disk;

/** Which files a descriptor may name, for extents and for parents. */
enum vmdk_paths {
    VMDK_PATHS_BENEATH = 0, /**< Regular files at or below its own directory, or below the directory
                                 of the file that was opened, or below one of vmdk_open_options::roots. Symbolic
                                 links are followed only while they stay inside. */
    VMDK_PATHS_ANY = 1      /**< Any path, block devices too, as the descriptor says. Only for images
                                 whose author is trusted. */
};

/** Bounds on what an untrusted image can make the library do; 0 = default. A
 *  value above the hard maximum counts as the maximum. */
typedef struct vmdk_limits {
    uint32_t struct_size;          /**< Size of this structure. */
    uint32_t max_chain_length;     /**< Disks in a snapshot chain; default 128, at most 1024. */
    uint32_t max_extents;          /**< Extents in one disk; default 65536, at most 1048576. */
    uint32_t max_descriptor_bytes; /**< Size of a descriptor; default 16 MiB, at most 64 MiB. */
    uint64_t max_table_bytes;      /**< Grain directories and tables held in memory, for the whole chain;
                                        default 32 MiB, at least 256 KiB. A cache: less is slower, not an error. */
    uint32_t max_open_files;       /**< Files held open at the same time; default 128, at least 8. More
                                        extents than this are closed and opened again as they are used. */
    uint32_t reserved;             /**< Zero. */
} vmdk_limits;

#define VMDK_FILE_WRITE 0x1u   /**< Open to read and write. */
#define VMDK_FILE_CREATE 0x2u  /**< Create, to read and write; EEXIST if it is there. */
#define VMDK_FILE_REPLACE 0x4u /**< Of `rename`: a file that is there is replaced, at once. */

/**
 * File access provided by the caller, for images that are not files of the
 * local system. Each function returns 0 or an errno value; ENOENT from `open`
 * means that there is no such file, and other names are tried. Calls may come
 * from several threads at once, also on one file, and from threads of the
 * library where vmdk_open_options::threads asks for them or a disk is converted
 * (unless vmdk_convert_options::threads is 1). Names are those of
 * the descriptor, joined with '/' to the directory of the file that names
 * them; under ::VMDK_PATHS_BENEATH a name never leaves that directory. Files
 * behind a vmdk_io are not locked: keeping others away is up to the caller.
 */
typedef struct vmdk_io {
    uint32_t struct_size; /**< Size of this structure. */
    uint32_t reserved;    /**< Zero. */
    void *user;           /**< Passed on to the functions. */
    /** Opens @p name; @p flags are VMDK_FILE flags, 0 to read. */
    int (*open)(void *user, const char *name, uint32_t flags, void **out_file);
    /** Closes a file; called once for each opened one. */
    void (*close)(void *user, void *file);
    /** Fills all of @p buffer; the end of the file inside it is an error. */
    int (*read_at)(void *user, void *file, uint64_t offset, void *buffer, size_t size);
    /** Writes all of @p buffer, extending the file where needed. May be NULL where nothing is written. */
    int (*write_at)(void *user, void *file, uint64_t offset, const void *buffer, size_t size);
    /** Size of the file. */
    int (*get_size)(void *user, void *file, uint64_t *out_size);
    /** Extends with zeros or cuts off. May be NULL where nothing is written. */
    int (*set_size)(void *user, void *file, uint64_t size);
    /** Returns when all that was written is on stable storage. May be NULL where nothing is written. */
    int (*sync)(void *user, void *file);
    /** Removes the file @p name. May be NULL where nothing is created. */
    int (*remove)(void *user, const char *name);
    /** Gives the file @p from the name @p to, for good by the time it returns; a file that is open stays open. EEXIST
     *  if @p to is there, unless @p flags has ::VMDK_FILE_REPLACE. May be NULL: then new files are created under their final names, and
     *  edits of a text descriptor that change its length are refused. */
    int (*rename)(void *user, const char *from, const char *to, uint32_t flags);
    /** Makes @p size bytes at @p offset, inside the file, read as zero, and gives their space back. May be NULL, and
     *  may answer EOPNOTSUPP: zeros are written then. */
    int (*punch)(void *user, void *file, uint64_t offset, uint64_t size);
} vmdk_io;

/** How much a message matters. */
enum vmdk_level {
    VMDK_LEVEL_DEBUG = 0,  /**< How the library understood something. */
    VMDK_LEVEL_NOTE = 1,   /**< Unusual, harmless. */
    VMDK_LEVEL_WARNING = 2 /**< Damage or a doubt that was got around, such as a table read from its copy. */
};

/** Takes a message. @p message is one line of UTF-8 of the form "file: what",
 *  without a line end, valid during the call only. The function must not call
 *  into the library with the same disk. */
typedef void (*vmdk_message_fn)(void *user, int32_t level, const char *message);

/** Open the disk to read and write; its parents are only read. Fails with ::VMDK_ERR_READ_ONLY if no extent of it can
 *  be written: streamOptimized, seSparse and RDONLY extents, members of an OVA, disks whose changes are tracked. Does not
 *  go with ::VMDK_OPEN_RECOVER, nor with ::VMDK_OPEN_NO_PARENT if the disk has a parent. */
#define VMDK_OPEN_WRITE 0x1u
#define VMDK_OPEN_NO_PARENT 0x2u /**< Do not open parents; what only a parent holds reads as zero. */
/** Take no locks on the files and look for none. Reading beside a writer then may give a mixture of old and new, and
 *  errors; writing beside another writer destroys the disk. */
#define VMDK_OPEN_NO_LOCK 0x4u
/** Read a damaged image as far as it can be told what is right: through whichever copy of a grain directory or
 *  table is sane, each use being reported; a stream without its end marker; a plain sparse file cut off in its
 *  metadata; a hosted sparse extent that has lost its descriptor. Data that is lost stays an error. */
#define VMDK_OPEN_RECOVER 0x8u
/** The file is no VMDK: its bytes are those of a disk, rounded up to whole sectors. Any regular file or block device, read
 *  only; holes are shown as zeros by vmdk_map_at(). Goes with ::VMDK_OPEN_NO_LOCK only. */
#define VMDK_OPEN_RAW 0x10u

/** How to open a disk. */
typedef struct vmdk_open_options {
    uint32_t struct_size;      /**< Size of this structure. */
    uint32_t flags;            /**< VMDK_OPEN flags. */
    uint32_t paths;            /**< VMDK_PATHS value. */
    uint32_t threads;          /**< Threads that inflate compressed grains for one reader, the calling thread
                                    included; 0 and 1 = the calling thread alone, at most 64. With more than one,
                                    grains that follow are inflated ahead of a reader that reads in order. */
    const char *const *roots;  /**< More directories that may be named; NULL-terminated; may be NULL. */
    const vmdk_limits *limits; /**< May be NULL. */
    const vmdk_io *io;         /**< May be NULL: the local file system. */
    const char *encoding;      /**< Code page of the descriptors, such as "GBK"; overrides what they say. May be NULL. */
    const char *member;        /**< Which file of an OVA or tar to open; NULL = the only disk in it. */
    uint64_t cache_bytes;      /**< Inflated grains held in memory, for the whole chain; default 4 MiB. */
    vmdk_message_fn on_message; /**< Takes warnings and notes; may be NULL. Called on the thread that reads, one
                                     call at a time for one disk. */
    void *message_user;        /**< Passed on to on_message. */
} vmdk_open_options;

/* -- Open and close ------------------------------------------------------ */

/**
 * @brief Opens a virtual disk, to read or with ::VMDK_OPEN_WRITE to write.
 *
 * Reads the descriptor, opens every extent it names and then, in the same way,
 * the chain of parents. Nothing is written, not even with ::VMDK_OPEN_WRITE:
 * the first write marks the disk as in use. Grain directories and tables are
 * read when they are first used, so the cost does not grow with the capacity.
 *
 * Local files are locked while they are open, in the way of QEMU, which
 * understands the locks: readers share a file, a writer has it alone, also
 * within one process. Files beyond the half of vmdk_limits::max_open_files are
 * guarded by the lock of their descriptor. To write, a folder `FILE.lck` with
 * which VMware marks a disk in use is respected. See ::VMDK_OPEN_NO_LOCK.
 *
 * An image is untrusted input. It decides which other files are opened, so the
 * default is to follow only names at or below the directory of the file that
 * names them, and only to regular files (see vmdk_open_options::paths).
 *
 * @p path may be a descriptor; a file with a descriptor inside
 * (monolithicSparse, streamOptimized); a bare data file such as
 * `disk-flat.vmdk` or `disk-s001.vmdk`, whose descriptor is then looked for
 * beside it; or an OVA or tar with one disk in it, or `FILE.ova:MEMBER`. Raw
 * data is taken for a disk only with ::VMDK_OPEN_RAW.
 *
 * @param path      Trusted: links and `..` are followed. With
 *                  vmdk_open_options::io it is the name given to `open`.
 * @param options   May be NULL: all defaults. Copied; it need not outlive the
 *                  call. What `io` and `on_message` get through their user
 *                  pointers must live until vmdk_close() has returned.
 * @param out_disk  The open disk; release it with vmdk_close().
 *
 * @retval VMDK_OK                  The disk and all its parents are open.
 * @retval VMDK_ERR_INVALID_ARGUMENT A pointer is NULL, an option has no meaning, or an OVA
 *                                  holds several disks (the message lists them) and none is named.
 * @retval VMDK_ERR_NO_MEMORY       An allocation failed.
 * @retval VMDK_ERR_NOT_FOUND       @p path, an extent, the member, or the descriptor of
 *                                  a bare data file is not there.
 * @retval VMDK_ERR_ACCESS          The system refused to open a file.
 * @retval VMDK_ERR_IO              A file could not be read.
 * @retval VMDK_ERR_NOT_VMDK        The file is none of the known kinds; the message says
 *                                  what it looks like.
 * @retval VMDK_ERR_CORRUPT         A structure needed to open it is damaged, two of
 *                                  them contradict each other, an extent is shorter than
 *                                  declared, or a chain leads back to itself.
 * @retval VMDK_ERR_UNSUPPORTED     A kind, version or flag this version cannot handle.
 * @retval VMDK_ERR_PATH_DENIED     A named file lies outside what `paths` allows.
 * @retval VMDK_ERR_LIMIT           More than ::vmdk_limits allows.
 * @retval VMDK_ERR_PARENT_MISSING  A parent cannot be found, or none is named.
 * @retval VMDK_ERR_PARENT_CHANGED  The content ID of a parent differs from the
 *                                  one recorded in its child.
 * @retval VMDK_ERR_ENCRYPTED       The disk is encrypted.
 * @retval VMDK_ERR_LOCKED          Someone else, or another handle, has a file of it open to write
 *                                  (to write: has it open at all). The message names the holder
 *                                  where the system tells.
 * @retval VMDK_ERR_READ_ONLY       To write: no part of the disk can be written; the message says
 *                                  why, the hint what to do.
 *
 * @par Threads
 * May be called at any time from any thread.
 *
 * @since 1.0
 * @see vmdk_close(), vmdk_get_info(); VDF, "Layout Basics", "The Descriptor File"
 */
VMDK_API vmdk_status vmdk_open(const char *path, const vmdk_open_options *options,
                               vmdk_disk **out_disk);

/**
 * @brief Saves what was written, closes a disk and frees the handle.
 *
 * The handle is gone afterwards, whatever is returned. What vmdk_flush() does
 * is done first; then the mark "in use" is taken off the extents that were
 * written to. Call vmdk_flush() before to be able to act on a failure while
 * the disk is still open.
 *
 * @param disk  May be NULL: nothing happens.
 *
 * @retval VMDK_OK           Everything written is on stable storage.
 * @retval VMDK_ERR_IO       Data written since the last successful vmdk_flush()
 *                           may be lost; what was flushed is there. The image stays
 *                           marked as not cleanly closed, unless taking off that mark
 *                           was all that failed.
 * @retval VMDK_ERR_NO_SPACE Likewise, for want of space.
 * @retval VMDK_ERR_POISONED Likewise, because of an earlier failure.
 * @retval VMDK_ERR_NO_MEMORY Likewise: an allocation failed.
 *
 * @par Threads
 * No other call may be running on @p disk. Any thread may close it.
 *
 * @since 1.0
 */
VMDK_API vmdk_status vmdk_close(vmdk_disk *disk);

/* -- Data ---------------------------------------------------------------- */

/**
 * @brief Reads guest data.
 *
 * All or nothing: on failure the content of @p buffer is undefined. Parts of
 * the disk that were never written come from the parent, or read as zero. Data
 * that should be there and cannot be read is an error, never zeros. The order
 * of the arguments is pread's.
 *
 * @param disk    An open disk.
 * @param buffer  Receives @p size bytes; may be NULL if @p size is 0.
 * @param size    Bytes to read; 0 succeeds and touches nothing.
 * @param offset  First byte to read; need not be aligned.
 *
 * @retval VMDK_OK                   The buffer is filled.
 * @retval VMDK_ERR_INVALID_ARGUMENT A pointer is NULL.
 * @retval VMDK_ERR_OUT_OF_RANGE     @p offset + @p size is beyond the capacity;
 *                                   nothing was read.
 * @retval VMDK_ERR_NO_MEMORY        A buffer for a compressed grain could not be had.
 * @retval VMDK_ERR_IO               A file could not be read.
 * @retval VMDK_ERR_CORRUPT          A table entry or a compressed grain is damaged,
 *                                   or leads outside its file. Other parts of the disk can
 *                                   still be read; vmdk_last_error() says which part this is.
 *
 * @par Threads
 * Any number of reads may run at the same time on one disk.
 *
 * @since 1.0
 * @see VDF, "Hosted Sparse Extents", "Stream-Optimized Compressed Sparse Extents"
 */
VMDK_API vmdk_status vmdk_read_at(vmdk_disk *disk, void *buffer, size_t size, uint64_t offset);

/**
 * @brief Writes guest data.
 *
 * Reads see the data at once; it is safe from a crash after the next successful
 * vmdk_flush(), and from then on. What is not flushed may be lost in a crash,
 * wholly or in part, but never damages anything flushed before. The order of
 * the arguments is pwrite's.
 *
 * The first write of a handle gives the disk a new content ID, brings that to
 * stable storage, and marks the extents it touches as in use. It also looks
 * through the tables of an extent before it changes it for the first time: in
 * one that is damaged nothing is changed.
 *
 * After a failure the range holds old and new sectors in any mixture.
 *
 * @param disk    A disk opened with ::VMDK_OPEN_WRITE.
 * @param buffer  The data; may be NULL if @p size is 0.
 * @param size    Bytes to write; 0 succeeds and touches nothing.
 * @param offset  First byte to write; need not be aligned.
 *
 * @retval VMDK_OK                   The data is written.
 * @retval VMDK_ERR_INVALID_ARGUMENT A pointer is NULL.
 * @retval VMDK_ERR_OUT_OF_RANGE     @p offset + @p size is beyond the capacity;
 *                                   nothing was written.
 * @retval VMDK_ERR_READ_ONLY        The disk was opened to read, or the range touches an extent
 *                                   that cannot be written, or data other than zeros was to go to
 *                                   a ZERO extent; nothing was written.
 * @retval VMDK_ERR_CORRUPT          The tables of an extent in the range are damaged (entries that lead
 *                                   outside the file, into metadata, or twice to the same place);
 *                                   nothing was written. Or the parent could not be read.
 * @retval VMDK_ERR_NO_SPACE         The file system is full. The disk stays valid; writing goes on once
 *                                   there is room.
 * @retval VMDK_ERR_LIMIT            A sparse file would grow beyond the 2 TiB that its tables can
 *                                   address.
 * @retval VMDK_ERR_NO_MEMORY        An allocation failed.
 * @retval VMDK_ERR_IO               A file could not be read or written.
 * @retval VMDK_ERR_POISONED         An earlier failure left in doubt what is on stable storage:
 *                                   nothing is written any more. Reads go on; close the disk.
 *
 * @par Threads
 * Any thread; takes the disk for itself.
 *
 * @since 1.0
 * @see vmdk_flush(); docs/design.md, "Writing"
 */
VMDK_API vmdk_status vmdk_write_at(vmdk_disk *disk, const void *buffer, size_t size,
                                   uint64_t offset);

/**
 * @brief Makes a range read as zero, without storing zeros where the format can.
 *
 * What is absent and has no parent below it stays absent. Stored data becomes a
 * hole in its file where the host can make one, and keeps its place. Above a
 * parent an entry says "zero" where the header of the extent allows such
 * entries; elsewhere grains of zeros are stored, as holes where the host can.
 *
 * @param disk    A disk opened with ::VMDK_OPEN_WRITE.
 * @param size    Bytes to clear; 0 succeeds and touches nothing.
 * @param offset  First byte; need not be aligned.
 *
 * @return As vmdk_write_at().
 *
 * @par Threads
 * Any thread; takes the disk for itself.
 *
 * @since 1.0
 */
VMDK_API vmdk_status vmdk_zero_at(vmdk_disk *disk, uint64_t size, uint64_t offset);

/**
 * @brief Tells that the guest no longer needs a range: it reads as zero afterwards.
 *
 * Like vmdk_zero_at(), but whole grains are given back: where nothing lies
 * below they become absent, and after the next vmdk_flush() their space goes
 * back to the host (where it can take it) and is used for new grains.
 *
 * @param disk    A disk opened with ::VMDK_OPEN_WRITE.
 * @param size    Bytes to give back; 0 succeeds and touches nothing.
 * @param offset  First byte; need not be aligned.
 *
 * @return As vmdk_write_at().
 *
 * @par Threads
 * Any thread; takes the disk for itself.
 *
 * @since 1.0
 */
VMDK_API vmdk_status vmdk_discard_at(vmdk_disk *disk, uint64_t size, uint64_t offset);

/**
 * @brief Brings everything written so far to stable storage.
 *
 * First the data, then the tables that point to it: after a crash at any moment
 * the disk holds what it held at the last successful flush, and of what was
 * written since, any part.
 *
 * @param disk  Any open disk; one that is only read has nothing to flush.
 *
 * @retval VMDK_OK           All that was written is on stable storage.
 * @retval VMDK_ERR_INVALID_ARGUMENT @p disk is NULL.
 * @retval VMDK_ERR_NO_SPACE The file system is full; flush again once there is room.
 * @retval VMDK_ERR_NO_MEMORY An allocation failed; nothing is lost, flush again.
 * @retval VMDK_ERR_IO       A file could not be written, or a sync failed. The system may have
 *                           dropped what it could not write, so that a second try would
 *                           succeed and be wrong: the disk is poisoned.
 * @retval VMDK_ERR_POISONED An earlier call failed so.
 *
 * @par Threads
 * Any thread; takes the disk for itself.
 *
 * @since 1.0
 */
VMDK_API vmdk_status vmdk_flush(vmdk_disk *disk);

/** How a ::vmdk_run is stored. */
enum vmdk_run_kind {
    VMDK_RUN_DATA = 0,  /**< Stored; link says in which disk of the chain. */
    VMDK_RUN_ZERO = 1,  /**< Reads as zero because a disk says so; link says which. */
    VMDK_RUN_ABSENT = 2 /**< Stored nowhere in the chain; reads as zero. */
};

#define VMDK_RUN_COMPRESSED 0x1u /**< Flag of ::vmdk_run: stored as compressed grains. */

/** A piece of the disk that is stored in one way. */
typedef struct vmdk_run {
    uint32_t struct_size; /**< Size of this structure. */
    uint32_t kind;        /**< VMDK_RUN value. */
    uint64_t offset;      /**< Where it begins: the offset asked for. */
    uint64_t size;        /**< At least 1, at most what was asked for. */
    uint32_t link;        /**< 0 the disk itself, 1 its parent, ...; UINT32_MAX if absent. */
    uint32_t extent;      /**< Extent of that link; UINT32_MAX if absent. */
    uint32_t flags;       /**< VMDK_RUN flags. */
    uint32_t reserved;    /**< Zero. */
    uint64_t file_offset; /**< Data: where in the extent's file its first byte is, the rest following; compressed data:
                               where the first grain's record begins. UINT64_MAX otherwise. */
} vmdk_run;

/**
 * @brief Tells how the disk is stored from an offset on.
 *
 * The run ends where the way of storing changes, but may end earlier: a
 * following run can be of the same kind, and a caller that wants whole ones
 * joins them. Walk a disk by adding `size` to the offset until the capacity is
 * reached. Only tables are read, never data. A run of data is one piece of one
 * file, byte after byte. A hole in the file of a flat extent is
 * ::VMDK_RUN_ZERO where the file system tells of it.
 *
 * @param disk     An open disk.
 * @param offset   Where the run begins; less than the capacity.
 * @param size     How far to look, at least 1.
 * @param out_run  Filled; its struct_size must be set.
 *
 * @retval VMDK_OK                   @p out_run is filled.
 * @retval VMDK_ERR_INVALID_ARGUMENT A pointer is NULL, @p size is 0 or struct_size is not set.
 * @retval VMDK_ERR_OUT_OF_RANGE     @p offset + @p size is beyond the capacity.
 * @retval VMDK_ERR_IO               A table could not be read.
 * @retval VMDK_ERR_CORRUPT          A table entry leads outside its file, or into metadata.
 *
 * @par Threads
 * Like vmdk_read_at().
 *
 * @since 1.0
 */
VMDK_API vmdk_status vmdk_map_at(vmdk_disk *disk, uint64_t offset, uint64_t size, vmdk_run *out_run);

/* -- Information --------------------------------------------------------- */

/** The createType of a disk (VDF, "The Header"). */
enum vmdk_type {
    VMDK_TYPE_UNKNOWN = 0,            /**< The descriptor does not say and the extents do not tell. */
    VMDK_TYPE_MONOLITHIC_SPARSE = 1,  /**< monolithicSparse */
    VMDK_TYPE_MONOLITHIC_FLAT = 2,    /**< monolithicFlat */
    VMDK_TYPE_SPLIT_SPARSE = 3,       /**< twoGbMaxExtentSparse, 2GbMaxExtentSparse */
    VMDK_TYPE_SPLIT_FLAT = 4,         /**< twoGbMaxExtentFlat, 2GbMaxExtentFlat */
    VMDK_TYPE_STREAM_OPTIMIZED = 5,   /**< streamOptimized */
    VMDK_TYPE_VMFS = 6,               /**< vmfs */
    VMDK_TYPE_VMFS_SPARSE = 7,        /**< vmfsSparse */
    VMDK_TYPE_SE_SPARSE = 8,          /**< seSparse */
    VMDK_TYPE_VMFS_THIN = 9,          /**< vmfsThin */
    VMDK_TYPE_VMFS_PREALLOCATED = 10, /**< vmfsPreallocated, vmfsThick */
    VMDK_TYPE_VMFS_EAGER_ZEROED = 11, /**< vmfsEagerZeroedThick */
    VMDK_TYPE_VMFS_RAW = 12,          /**< vmfsRaw */
    VMDK_TYPE_VMFS_RDM = 13,          /**< vmfsRDM, vmfsRawDeviceMap */
    VMDK_TYPE_VMFS_RDMP = 14,         /**< vmfsRDMP, vmfsPassthroughRawDeviceMap */
    VMDK_TYPE_FULL_DEVICE = 15,       /**< fullDevice */
    VMDK_TYPE_PARTITIONED_DEVICE = 16, /**< partitionedDevice */
    VMDK_TYPE_CUSTOM = 17,            /**< custom */
    VMDK_TYPE_RAW = 18                /**< No VMDK: one file with the bytes of the disk. */
};

/** ddb.adapterType of a disk (VDF, "The Disk Database"). */
enum vmdk_adapter {
    VMDK_ADAPTER_UNKNOWN = 0,  /**< Not said, or a name that is none of these. */
    VMDK_ADAPTER_IDE = 1,      /**< ide */
    VMDK_ADAPTER_BUSLOGIC = 2, /**< buslogic */
    VMDK_ADAPTER_LSILOGIC = 3, /**< lsilogic */
    VMDK_ADAPTER_LEGACY_ESX = 4, /**< legacyESX */
    VMDK_ADAPTER_PVSCSI = 5,   /**< pvscsi */
    VMDK_ADAPTER_LSISAS = 6,   /**< lsisas1068 */
    VMDK_ADAPTER_SATA = 7,     /**< sata */
    VMDK_ADAPTER_NVME = 8      /**< nvme */
};

#define VMDK_INFO_UNCLEAN 0x1u     /**< An extent was not closed cleanly by its last writer. */
#define VMDK_INFO_WRITABLE 0x2u    /**< Of link 0: opened with ::VMDK_OPEN_WRITE. Of an extent: it can be written. */
#define VMDK_INFO_COMPRESSED 0x4u  /**< An extent holds compressed grains. */
#define VMDK_INFO_EMBEDDED 0x8u    /**< The descriptor is inside the first extent's file. */
#define VMDK_INFO_HAS_PARENT 0x10u /**< The disk is a child: it names a parent. */
#define VMDK_INFO_RECOVERED 0x20u  /**< A redundant table was read in place of a damaged one. */
#define VMDK_INFO_TRACKED 0x40u    /**< The descriptor names a change-tracking file. */
#define VMDK_INFO_MEMBER 0x80u     /**< The disk is a member of an OVA or tar. */

/** What is known of a disk, or of one disk in the chain. */
typedef struct vmdk_info {
    uint32_t struct_size;      /**< Size of this structure. */
    uint32_t type;             /**< VMDK_TYPE value. */
    uint64_t capacity;         /**< Size the guest sees. */
    uint64_t stored_bytes;     /**< Space its files take on the host; holes do not count where the host tells. */
    uint64_t file_bytes;       /**< Sum of the sizes of its files, each counted once. */
    uint64_t grain_bytes;      /**< Unit of allocation of its first extent that has one; 0 for flat disks. */
    uint32_t flags;            /**< VMDK_INFO flags. */
    uint32_t cid;              /**< Content ID. */
    uint32_t parent_cid;       /**< Content ID of the parent; 0xffffffff without one. */
    uint32_t extent_count;     /**< Number of extents. */
    uint32_t chain_length;     /**< Links from this one to the base; 1 without an open parent. */
    uint32_t key_count;        /**< Number of keys for vmdk_get_key(). */
    uint32_t descriptor_version; /**< `version` of the descriptor. */
    uint32_t header_version;   /**< Version in the header of the first sparse extent; 0 for flat disks. */
    uint32_t adapter;          /**< VMDK_ADAPTER value; like the rest below looked up along the chain. */
    uint32_t hardware_version; /**< ddb.virtualHWVersion; 0 if it is not said. */
    uint32_t cylinders;        /**< ddb.geometry.cylinders; 0 if it is not said. */
    uint32_t heads;            /**< ddb.geometry.heads; 0 if it is not said. */
    uint32_t sectors;          /**< ddb.geometry.sectors, per track; 0 if it is not said. */
    uint32_t bios_cylinders;   /**< ddb.geometry.biosCylinders; 0 if it is not said. */
    uint32_t bios_heads;       /**< ddb.geometry.biosHeads; 0 if it is not said. */
    uint32_t bios_sectors;     /**< ddb.geometry.biosSectors; 0 if it is not said. */
    uint32_t logical_sector_bytes;  /**< ddb.logicalSectorSize; 512 if it is not said. */
    uint32_t physical_sector_bytes; /**< ddb.physicalSectorSize; 512 if it is not said. */
    uint64_t recovered_tables; /**< Times a redundant directory or table entry was read in place of a damaged one. */
} vmdk_info;

/**
 * @brief Describes one disk of the chain.
 *
 * @param disk      An open disk.
 * @param link      0 the disk that was opened, 1 its parent, ...
 * @param out_info  Filled; its struct_size must be set.
 *
 * @retval VMDK_OK                   @p out_info is filled.
 * @retval VMDK_ERR_INVALID_ARGUMENT A pointer is NULL or struct_size is not set.
 * @retval VMDK_ERR_OUT_OF_RANGE     There is no link of that number.
 *
 * @par Threads
 * Like vmdk_read_at().
 *
 * @since 1.0
 */
VMDK_API vmdk_status vmdk_get_link_info(vmdk_disk *disk, uint32_t link, vmdk_info *out_info);

/**
 * @brief Describes the disk that was opened: vmdk_get_link_info() of link 0.
 *
 * @param disk      An open disk.
 * @param out_info  Filled; its struct_size must be set.
 *
 * @retval VMDK_OK                   @p out_info is filled.
 * @retval VMDK_ERR_INVALID_ARGUMENT A pointer is NULL or struct_size is not set.
 *
 * @par Threads
 * Like vmdk_read_at().
 *
 * @since 1.0
 */
VMDK_API vmdk_status vmdk_get_info(vmdk_disk *disk, vmdk_info *out_info);

/** How an extent is stored. */
enum vmdk_extent_kind {
    VMDK_EXTENT_FLAT = 0,     /**< Plain bytes of a file or device. */
    VMDK_EXTENT_SPARSE = 1,   /**< Hosted sparse ("KDMV") with plain grains. */
    VMDK_EXTENT_STREAM = 2,   /**< Hosted sparse with compressed grains. */
    VMDK_EXTENT_COWD = 3,     /**< ESX server sparse ("COWD"). */
    VMDK_EXTENT_SE_SPARSE = 4, /**< seSparse. */
    VMDK_EXTENT_ZERO = 5      /**< Zeros; no file. */
};

/** What an extent line allows. */
enum vmdk_access {
    VMDK_ACCESS_READ_WRITE = 0, /**< RW */
    VMDK_ACCESS_READ_ONLY = 1,  /**< RDONLY, RONLY */
    VMDK_ACCESS_NONE = 2        /**< NOACCESS: reads as zeros. */
};

/** One extent: a part of the disk kept in one file. */
typedef struct vmdk_extent_info {
    uint32_t struct_size; /**< Size of this structure. */
    uint32_t kind;        /**< VMDK_EXTENT value. */
    uint32_t access;      /**< VMDK_ACCESS value. */
    uint32_t flags;       /**< VMDK_INFO flags that hold for this extent. */
    uint64_t offset;      /**< Where it begins on the disk. */
    uint64_t size;        /**< Its size on the disk. */
    uint64_t file_offset; /**< Where its data begins in the file, if flat; else 0. */
    uint64_t file_bytes;  /**< Size of its file; 0 without one. */
    uint64_t grain_bytes; /**< Unit of allocation; 0 if it has none. */
} vmdk_extent_info;

/**
 * @brief Describes one extent. Its file is vmdk_get_text() of "@extent.N".
 *
 * @param disk        An open disk.
 * @param link        0 the disk that was opened, 1 its parent, ...
 * @param index       0 the first extent line of the descriptor.
 * @param out_extent  Filled; its struct_size must be set.
 *
 * @retval VMDK_OK                   @p out_extent is filled.
 * @retval VMDK_ERR_INVALID_ARGUMENT A pointer is NULL or struct_size is not set.
 * @retval VMDK_ERR_OUT_OF_RANGE     There is no link or no extent of that number.
 *
 * @par Threads
 * Like vmdk_read_at().
 *
 * @since 1.0
 */
VMDK_API vmdk_status vmdk_get_extent(vmdk_disk *disk, uint32_t link, uint32_t index,
                                     vmdk_extent_info *out_extent);

/**
 * @brief Copies a text that belongs to a disk of the chain.
 *
 * @p key is a key of the descriptor in any case ("createType",
 * "parentFileNameHint", "ddb.adapterType"), or one of
 *  - "@descriptor": the descriptor, converted to UTF-8;
 *  - "@path": the file the descriptor is in;
 *  - "@extent.N": the file of extent N as it was opened; empty without one.
 *
 * A key that begins with "ddb." and that the link does not have is looked up
 * in its parents, up to the base, except what names one link alone:
 * ddb.longContentID and the ddb.uuid keys.
 *
 * @param disk      An open disk.
 * @param link      0 the disk that was opened, 1 its parent, ...
 * @param key       See above.
 * @param buffer    Receives the text and its NUL; may be NULL if @p size is 0.
 * @param size      Room in @p buffer.
 * @param out_size  Room needed, the NUL included, also when @p buffer is too
 *                  small. To ask for it alone pass NULL and 0.
 *
 * @retval VMDK_OK                   @p buffer holds the text; or @p size is 0 and
 *                                   @p out_size says what is needed.
 * @retval VMDK_ERR_INVALID_ARGUMENT A pointer is NULL, or @p key begins with '@' and is none of the above.
 * @retval VMDK_ERR_NOT_FOUND        There is no such key.
 * @retval VMDK_ERR_OUT_OF_RANGE     There is no such link or extent, or @p buffer is too
 *                                   small; it is unchanged then.
 *
 * @par Threads
 * Like vmdk_read_at().
 *
 * @since 1.0
 * @see VDF, "The Descriptor File"
 */
VMDK_API vmdk_status vmdk_get_text(vmdk_disk *disk, uint32_t link, const char *key, char *buffer,
                                   size_t size, size_t *out_size);

/**
 * @brief Name of a key of a descriptor, for walking all of them.
 *
 * Keys come in the order of the descriptor, vmdk_info::key_count of them. A
 * key that stands there twice is named once.
 *
 * @param disk      An open disk.
 * @param link      0 the disk that was opened, 1 its parent, ...
 * @param index     0 the first key.
 * @param buffer    As in vmdk_get_text().
 * @param size      As in vmdk_get_text().
 * @param out_size  As in vmdk_get_text().
 *
 * @retval VMDK_OK                   As in vmdk_get_text().
 * @retval VMDK_ERR_INVALID_ARGUMENT A pointer is NULL.
 * @retval VMDK_ERR_OUT_OF_RANGE     There is no such link or key, or @p buffer is too small.
 *
 * @par Threads
 * Like vmdk_read_at().
 *
 * @since 1.0
 */
VMDK_API vmdk_status vmdk_get_key(vmdk_disk *disk, uint32_t link, uint32_t index, char *buffer,
                                  size_t size, size_t *out_size);

/**
 * @brief Sets or removes a key of the disk database, at once or not at all.
 *
 * The rest of the descriptor stays as it is, byte for byte. The new text is on
 * stable storage when the call returns; after a crash the descriptor is the old
 * one or the new one. The content ID stays.
 *
 * @param disk   A disk opened with ::VMDK_OPEN_WRITE.
 * @param key    A key that begins with "ddb.", in any case: letters, digits and `. _ -`.
 * @param value  The value, without quotes; no control characters. NULL removes the key, which
 *               is good if it is not there.
 *
 * @retval VMDK_OK                   The descriptor says so now.
 * @retval VMDK_ERR_INVALID_ARGUMENT A pointer is NULL, @p key is no key of the database, or @p value
 *                                   cannot stand in a descriptor (or not in its code page).
 * @retval VMDK_ERR_READ_ONLY        The disk was opened to read.
 * @retval VMDK_ERR_LIMIT            The descriptor is inside an extent and does not fit its room there.
 * @retval VMDK_ERR_NO_SPACE         The file system is full; the old text stands.
 * @retval VMDK_ERR_UNSUPPORTED      vmdk_open_options::io has no `rename`.
 * @retval VMDK_ERR_ACCESS           The directory of the descriptor cannot be written to.
 * @retval VMDK_ERR_NO_MEMORY        An allocation failed.
 * @retval VMDK_ERR_IO               A file could not be written, or a sync failed (the disk is poisoned then).
 * @retval VMDK_ERR_POISONED         An earlier failure; see vmdk_write_at().
 *
 * @par Threads
 * Any thread; takes the disk for itself. vmdk_get_text() and vmdk_get_key() see
 * the old text or the new one.
 *
 * @since 1.0
 * @see VDF, "The Disk Database"
 */
VMDK_API vmdk_status vmdk_set_text(vmdk_disk *disk, const char *key, const char *value);

/* -- Create and snapshot ------------------------------------------------- */

/** Called now and then during long work, on the thread that called; @p done and @p total are bytes. Return 0 to go
 *  on, anything else to cancel: the call cleans up and returns ::VMDK_ERR_CANCELLED. */
typedef int (*vmdk_progress_fn)(void *user, uint64_t done, uint64_t total);

/** What to do beforehand about the space of flat extents. */
enum vmdk_preallocate {
    VMDK_PREALLOCATE_DEFAULT = 0, /**< As the type says: zeros for vmfsEagerZeroedThick, reserved for
                                       vmfsPreallocated, else none. */
    VMDK_PREALLOCATE_NONE = 1,    /**< The file is one hole. */
    VMDK_PREALLOCATE_RESERVE = 2, /**< The file system reserves the space (fallocate); where it cannot, zeros are
                                       written. */
    VMDK_PREALLOCATE_ZEROS = 3    /**< Zeros are written. */
};

/** Products that take disks, each in its own way: see docs/targets.md. */
enum vmdk_target {
    VMDK_TARGET_NONE = 0,        /**< None in particular. */
    VMDK_TARGET_WORKSTATION = 1, /**< VMware Workstation and Player. */
    VMDK_TARGET_FUSION = 2,      /**< VMware Fusion. */
    VMDK_TARGET_ESXI = 3,        /**< VMware ESXi: a disk on a datastore. */
    VMDK_TARGET_VIRTUALBOX = 4,  /**< VirtualBox. */
    VMDK_TARGET_QEMU = 5,        /**< QEMU and KVM. */
    VMDK_TARGET_OVA = 6,         /**< A disk in an OVF package, for vSphere and all that import OVAs. */
    VMDK_TARGET_AWS = 7          /**< Import into Amazon EC2. */
};

#define VMDK_CREATE_ZERO_GRAINS 0x1u /**< Hosted sparse: header version 2, whose tables may say that a grain is zero. Zeroing
                                          above a parent then takes no space; libyal and VirtualBox cannot read it. */

/** What to create. */
typedef struct vmdk_create_options {
    uint32_t struct_size;      /**< Size of this structure. */
    uint32_t type;             /**< VMDK_TYPE value: MONOLITHIC_SPARSE (also for 0), MONOLITHIC_FLAT, SPLIT_SPARSE, SPLIT_FLAT,
                                    VMFS, VMFS_THIN, VMFS_PREALLOCATED, VMFS_EAGER_ZEROED or VMFS_SPARSE. */
    uint64_t capacity;         /**< Size the guest sees; at least 1, rounded up to whole sectors. */
    uint64_t grain_bytes;      /**< Sparse types: unit of allocation, a power of two; 0 = 64 KiB. Hosted sparse: 4 KiB to
                                    1 MiB (VMware opens up to 64 KiB). COWD: 512 to 1 MiB. */
    uint64_t split_bytes;      /**< Split types: size of one part, a multiple of the grain; 0 = 2047 MiB. */
    uint32_t adapter;          /**< VMDK_ADAPTER value; 0 = lsilogic. Decides the geometry. */
    uint32_t hardware_version; /**< ddb.virtualHWVersion; 0 = 4. */
    uint32_t preallocate;      /**< VMDK_PREALLOCATE value. */
    uint32_t flags;            /**< VMDK_CREATE flags. */
    uint32_t cid;              /**< Content ID; 0 = a random one. Not 0xffffffff. */
    uint32_t target;           /**< VMDK_TARGET value: what is 0 in type, adapter and hardware_version is chosen for it
                                    (a copy keeps an adapter of its source that it takes), and what it would refuse is
                                    refused with the reason. */
    const char *const *keys;   /**< More keys of the disk database: name, value, name, value, ..., NULL; a name that is
                                    set anyway is set to this. "ddb.uuid" and "ddb.longContentID" have no other way in;
                                    without one, longContentID is random, ending in the CID. May be NULL. */
    const vmdk_io *io;         /**< May be NULL: the local file system. */
    vmdk_progress_fn on_progress; /**< May be NULL. Called while zeros are written, and once before the files get their
                                       names. */
    void *user;                /**< Passed on to on_progress. */
} vmdk_create_options;

/**
 * @brief Creates an empty disk.
 *
 * All or nothing: the files are made under other names and get theirs when they
 * are on stable storage, the one that is the disk last; after a failure or a
 * cancellation no new file is left. Existing files are never touched. The
 * time does not grow with the capacity, except where zeros are written.
 *
 * With cid, and ddb.uuid and ddb.longContentID in keys, two runs give the same
 * bytes.
 *
 * @param path     The disk: the descriptor, or the one file of a monolithicSparse disk. The other files
 *                 stand beside it: `NAME-flat.vmdk`, `NAME-f001.vmdk`, `NAME-s001.vmdk`, `NAME-delta.vmdk`.
 * @param options  What to create; capacity is required.
 *
 * @retval VMDK_OK                   The disk is there and on stable storage.
 * @retval VMDK_ERR_INVALID_ARGUMENT A pointer is NULL, an option has no meaning or does not fit the type, or the
 *                                   name cannot stand in a descriptor.
 * @retval VMDK_ERR_UNSUPPORTED      A type that cannot be created empty: streamOptimized (see vmdk_convert()),
 *                                   seSparse, devices, raw; or one that the target cannot attach.
 * @retval VMDK_ERR_LIMIT            More than the type can hold: COWD below 2 TiB, a flat file below 8 EiB,
 *                                   65536 parts; or keys that do not fit the descriptor's room.
 * @retval VMDK_ERR_EXISTS           One of the files is there already.
 * @retval VMDK_ERR_NOT_FOUND        The directory is not there.
 * @retval VMDK_ERR_ACCESS           The system refused.
 * @retval VMDK_ERR_NO_SPACE         The file system is full.
 * @retval VMDK_ERR_CANCELLED        on_progress asked to stop.
 * @retval VMDK_ERR_NO_MEMORY        An allocation failed.
 * @retval VMDK_ERR_IO               A file could not be written.
 *
 * @par Threads
 * May be called at any time from any thread.
 *
 * @since 1.0
 * @see VDF, "Layout Basics"; docs/format.md, "What is written"
 */
VMDK_API vmdk_status vmdk_create(const char *path, const vmdk_create_options *options);

/** How to create a snapshot. */
typedef struct vmdk_snapshot_options {
    uint32_t struct_size;     /**< Size of this structure. */
    uint32_t type;            /**< VMDK_TYPE value of the child: MONOLITHIC_SPARSE, SPLIT_SPARSE or VMFS_SPARSE; 0 = as fits
                                   the parent (split for a split one, COWD for a VMFS one below 2 TiB, else
                                   monolithicSparse). */
    uint64_t grain_bytes;     /**< As in ::vmdk_create_options; 0 = as the parent if it fits the child, else the
                                   default: 64 KiB, for COWD 512 bytes. */
    uint32_t flags;           /**< VMDK_CREATE flags. */
    uint32_t cid;             /**< Content ID of the child; 0 = that of the parent, as both hold the same. */
    const char *parent_hint;  /**< parentFileNameHint to record; NULL = the parent relative to the child. */
    const char *const *keys;  /**< As in ::vmdk_create_options. */
    const vmdk_open_options *open; /**< How to open the parent: paths, roots, limits, io, encoding; may be NULL. Its
                                        flags may be ::VMDK_OPEN_NO_LOCK only. */
} vmdk_snapshot_options;

/**
 * @brief Creates a child that stores only what differs from its parent.
 *
 * The parent and its chain are opened, and nothing in them is changed. The
 * child has the capacity and the content ID of the parent and remembers the
 * latter, so that a parent that is written to later is noticed. Do not write
 * to the parent from then on.
 *
 * @param parent_path  Any disk that can be read, of any kind, but not a member of an OVA.
 * @param path         The child; as for vmdk_create().
 * @param options      May be NULL: all defaults.
 *
 * @retval VMDK_OK               The child is there and on stable storage.
 * @retval VMDK_ERR_PATH_DENIED  The parent does not lie at or below the directory of the child, so that opening
 *                               the child would be refused by default; set parent_hint to have it anyway.
 * @return Otherwise as vmdk_open() for the parent, and as vmdk_create() for the child.
 *
 * @par Threads
 * May be called at any time from any thread.
 *
 * @since 1.0
 * @see VDF, "Delta Links"
 */
VMDK_API vmdk_status vmdk_snapshot(const char *parent_path, const char *path,
                                   const vmdk_snapshot_options *options);

/* -- Convert ------------------------------------------------------------- */

/** Of vmdk_convert() and vmdk_convert_from_stream(): a file that has the name already is replaced, at once, when the
 *  new one is complete. Only for disks of one file: monolithicSparse, streamOptimized and raw. */
#define VMDK_CONVERT_REPLACE 0x1u
/** Of vmdk_convert_from_stream() and vmdk_convert_stream(): what comes in are the bytes of a disk from first to last,
 *  and no VMDK. Its capacity is vmdk_create_options::capacity, or where that is 0 as much as comes. */
#define VMDK_CONVERT_FROM_RAW 0x2u
/** Of vmdk_measure(): convert it to nowhere and count, so that the figure is exact for compressed grains, too. */
#define VMDK_CONVERT_EXACT 0x4u

/** Of vmdk_convert_options::compression: grains of a stream are not compressed, only wrapped. */
#define VMDK_COMPRESSION_STORED 0xffu

/** Takes the next @p size bytes of a stream, at least 1. Returns 0 or an errno value, which ends the conversion. */
typedef int (*vmdk_sink_fn)(void *user, const void *data, size_t size);

/** Gives the next bytes of a stream: up to @p size of them into @p buffer, how many into @p out_size; 0 of them is the
 *  end. Returns 0 or an errno value. May wait, as for a pipe. */
typedef int (*vmdk_source_fn)(void *user, void *buffer, size_t size, size_t *out_size);

/** Sees the next @p size bytes of what the guest sees; @p data is NULL where they are zeros, of any number. Return 0
 *  to go on, anything else to cancel. */
typedef int (*vmdk_content_fn)(void *user, const void *data, uint64_t size);

/** Told of a part of the source that cannot be read. @p message says why, and is valid during the call only. Return 0
 *  to have zeros in its place and go on, anything else to end the conversion with that failure. */
typedef int (*vmdk_lost_fn)(void *user, uint64_t offset, uint64_t size, const char *message);

/** How to convert. The functions are called on the thread that called, and get `user`. They must not call into the
 *  library with the source, as vmdk_source_fn and vmdk_sink_fn must not: writes to it and flushes wait until the
 *  conversion has ended, and reads behind those would, too. */
typedef struct vmdk_convert_options {
    uint32_t struct_size;      /**< Size of this structure. */
    uint32_t flags;            /**< VMDK_CONVERT flags. */
    uint32_t compression;      /**< Of streamOptimized: 1 (fast) to 12 (small), 0 = 6, or ::VMDK_COMPRESSION_STORED. With zlib
                                    alone, 10 to 12 are as 9. */
    uint32_t threads;          /**< Threads that read, inflate, compress, the calling one included; 0 = one for each
                                    processor, at most 64. The result is the same whatever their number. */
    const vmdk_create_options *create; /**< What the new disk is to be; may be NULL. Its type may be RAW or
                                    STREAM_OPTIMIZED, too (grains of 4 KiB to 1 MiB); its capacity is that of the source, or
                                    more; what is 0 in adapter and hardware_version is as in the source, its progress
                                    function is not used. */
    vmdk_progress_fn on_progress; /**< May be NULL. Guest bytes done, of how many; 0 where that is not known: raw bytes
                                    of unknown number go to a file first, and begin again when it is. */
    vmdk_sink_fn on_output;    /**< Sees the bytes of the new file, from first to last, for a digest; may be NULL. Only for
                                    streamOptimized and raw, which are written in that order. */
    vmdk_content_fn on_content; /**< Sees what the guest sees, from first to last, for a digest; may be NULL. From a stream
                                    only if its grains are in order. */
    vmdk_lost_fn on_lost;      /**< May be NULL: what cannot be read ends the conversion. Parts are told in order, each
                                    once, adjacent ones as one. */
    void *user;                /**< Passed on to the functions. */
} vmdk_convert_options;

/**
 * @brief Copies what the guest sees, parents included, into a new disk of any
 *        kind that can be written.
 *
 * All or nothing, as vmdk_create(): the files are written under other names and
 * get theirs when they are complete and on stable storage; after a failure or a
 * cancellation none is left (unless all that failed is bringing the name of a file that
 * replaces another to stable storage). What reads as zero takes no space in the new disk
 * where its type allows that. Between flat and raw files the system copies, sharing
 * the blocks where it can: there holes stay holes, and stored zeros stay stored.
 *
 * Takes a few MiB and some 2 MiB for each thread, beside the tables that the
 * source keeps (vmdk_limits::max_table_bytes), whatever the size of the disk.
 *
 * The new disk has no parent. Adapter, geometry, hardware version and the
 * version of the tools are taken over from the source; its content ID and UUID
 * are new. A streamOptimized disk has the layout of VMware's own: header
 * version 3, markers, grains in order, the directory and a footer at the end.
 * With cid, and ddb.uuid and ddb.longContentID in the keys, two conversions give
 * the same bytes.
 *
 * @param source   An open disk, not to be written to meanwhile; may be raw (::VMDK_OPEN_RAW).
 * @param path     As for vmdk_create().
 * @param options  May be NULL: to monolithicSparse.
 *
 * @retval VMDK_OK                   The disk is there and on stable storage.
 * @retval VMDK_ERR_INVALID_ARGUMENT A pointer is NULL, an option has no meaning or does not fit the type, or the
 *                                   capacity is less than that of the source.
 * @retval VMDK_ERR_UNSUPPORTED      A type that cannot be written, or that the target cannot attach.
 * @retval VMDK_ERR_CANCELLED        A function asked to stop.
 * @retval VMDK_ERR_EXISTS           One of the files is there already.
 * @retval VMDK_ERR_LOCKED           The file to replace is in use, perhaps by the source.
 * @return Otherwise as vmdk_read_at() for the source, the message telling the range, and as vmdk_create() for the disk.
 *
 * @par Threads
 * Like vmdk_read_at() for the source.
 *
 * @since 1.0
 * @see docs/design.md, "Converting"
 */
VMDK_API vmdk_status vmdk_convert(vmdk_disk *source, const char *path,
                                  const vmdk_convert_options *options);

/**
 * @brief As vmdk_convert(), sent to a function from first byte to last, as for
 *        a pipe or an upload.
 *
 * @param source     An open disk.
 * @param sink       Takes the bytes. What it was given before a failure is no disk.
 * @param sink_user  Passed on to @p sink; may be NULL.
 * @param options    As for vmdk_convert(); may be NULL. The type is STREAM_OPTIMIZED (also for 0) or RAW. The name in
 *                   the descriptor is "disk.vmdk".
 *
 * @retval VMDK_ERR_IO  @p sink failed; vmdk_error::os_error is what it returned. With ENOSPC it is
 *                      ::VMDK_ERR_NO_SPACE.
 * @return Otherwise as vmdk_convert().
 *
 * @par Threads
 * As vmdk_convert().
 *
 * @since 1.0
 */
VMDK_API vmdk_status vmdk_convert_to_stream(vmdk_disk *source, vmdk_sink_fn sink, void *sink_user,
                                            const vmdk_convert_options *options);

/**
 * @brief The other way: reads a streamOptimized image, or with
 *        ::VMDK_CONVERT_FROM_RAW the bytes of a disk, from first to last, as out
 *        of a pipe or a download, and writes it as a disk of any kind.
 *
 * Everything there is to check is checked: that each grain inflates to its
 * checksum, that tables and directory are those of the grains that came, and
 * that nothing but zeros follows the end. All or nothing, as vmdk_convert().
 *
 * @param source       Gives the bytes.
 * @param source_user  Passed on to @p source; may be NULL.
 * @param path         As for vmdk_create().
 * @param options      As for vmdk_convert(); may be NULL. on_lost is told of grains that do not inflate.
 *
 * @retval VMDK_ERR_NOT_VMDK     What comes in is no VMDK.
 * @retval VMDK_ERR_CORRUPT      The stream ends early, breaks the format, or something follows its end; the message
 *                               says at which byte.
 * @retval VMDK_ERR_UNSUPPORTED  A VMDK that is no stream: it cannot be read in order. Or one that rests on a parent,
 *                               or whose grains are out of order where the new disk needs them in order
 *                               (streamOptimized, on_content).
 * @retval VMDK_ERR_IO           @p source failed; vmdk_error::os_error is what it returned.
 * @return Otherwise as vmdk_convert().
 *
 * @par Threads
 * May be called at any time from any thread.
 *
 * @since 1.0
 * @see VDF, "Stream-Optimized Compressed Sparse Extents"
 */
VMDK_API vmdk_status vmdk_convert_from_stream(vmdk_source_fn source, void *source_user,
                                              const char *path,
                                              const vmdk_convert_options *options);

/**
 * @brief From a stream to a stream: vmdk_convert_from_stream() and
 *        vmdk_convert_to_stream() in one.
 *
 * Raw bytes need their capacity in the options where they become streamOptimized.
 *
 * @param source       Gives the bytes.
 * @param source_user  Passed on to @p source; may be NULL.
 * @param sink         Takes the bytes.
 * @param sink_user    Passed on to @p sink; may be NULL.
 * @param options      As for both; may be NULL.
 *
 * @return As vmdk_convert_from_stream() and vmdk_convert_to_stream().
 *
 * @par Threads
 * May be called at any time from any thread.
 *
 * @since 1.0
 */
VMDK_API vmdk_status vmdk_convert_stream(vmdk_source_fn source, void *source_user,
                                         vmdk_sink_fn sink, void *sink_user,
                                         const vmdk_convert_options *options);

/** Sizes of what a conversion makes, all files together. */
typedef struct vmdk_measure_result {
    uint32_t struct_size; /**< Size of this structure. */
    uint32_t exact;       /**< Nonzero: `needed` is exactly what is written; else it can be less. */
    uint64_t needed;      /**< Space the files will take: metadata, and what of the source is stored; holes not counted.
                               Of streamOptimized and of a raw stream: their size. */
    uint64_t most;        /**< Space they would take if all of the disk were data that does not shrink. */
} vmdk_measure_result;

/**
 * @brief Tells beforehand what a conversion needs.
 *
 * Looks at the tables of the source alone, unless ::VMDK_CONVERT_EXACT is among
 * the flags: then all data is read, and for streamOptimized compressed.
 *
 * @param source      An open disk.
 * @param options     The conversion; may be NULL.
 * @param out_result  Filled; its struct_size must be set.
 *
 * @return As vmdk_convert().
 *
 * @par Threads
 * Like vmdk_read_at().
 *
 * @since 1.0
 */
VMDK_API vmdk_status vmdk_measure(vmdk_disk *source, const vmdk_convert_options *options,
                                  vmdk_measure_result *out_result);

/** Takes a reason why a product would refuse a disk, and what can be done about it (may be empty): one line of UTF-8
 *  each, valid during the call only. Return 0 to go on, anything else to stop. */
typedef int (*vmdk_refusal_fn)(void *user, const char *reason, const char *hint);

/**
 * @brief Tells what a product would refuse a disk for.
 *
 * @param disk    An open disk.
 * @param target  VMDK_TARGET value, not NONE.
 * @param fn      Called for each reason; not at all if the disk is good.
 * @param user    Passed on to @p fn; may be NULL.
 *
 * @retval VMDK_OK                   All reasons were told.
 * @retval VMDK_ERR_INVALID_ARGUMENT A pointer is NULL, or @p target is no VMDK_TARGET value.
 * @retval VMDK_ERR_CANCELLED        @p fn asked to stop.
 * @retval VMDK_ERR_IO               The end of a streamOptimized file could not be read.
 * @retval VMDK_ERR_NO_MEMORY        An allocation failed.
 *
 * @par Threads
 * Like vmdk_read_at().
 *
 * @since 1.0
 * @see docs/targets.md
 */
VMDK_API vmdk_status vmdk_check_target(vmdk_disk *disk, uint32_t target, vmdk_refusal_fn fn,
                                       void *user);

/* -- Looking without opening --------------------------------------------- */

/** What a file is, by its first bytes. */
enum vmdk_file_kind {
    VMDK_FILE_KIND_UNKNOWN = 0,      /**< None of these; perhaps the raw data of a flat extent. */
    VMDK_FILE_KIND_EMPTY = 1,        /**< No bytes. */
    VMDK_FILE_KIND_DESCRIPTOR = 2,   /**< A text descriptor. */
    VMDK_FILE_KIND_SPARSE = 3,       /**< Hosted sparse extent, plain or compressed. */
    VMDK_FILE_KIND_COWD = 4,         /**< ESX server sparse extent. */
    VMDK_FILE_KIND_SE_SPARSE = 5,    /**< seSparse extent. */
    VMDK_FILE_KIND_TRACKING = 6,     /**< Change-tracking file: not a disk. */
    VMDK_FILE_KIND_UNFINISHED = 7,   /**< Output of open-vmdk that was never finished. */
    VMDK_FILE_KIND_ENCRYPTED = 8,    /**< An encrypted descriptor. */
    VMDK_FILE_KIND_TAR = 9           /**< A tar, such as an OVA. */
};

#define VMDK_PROBE_HAS_DESCRIPTOR 0x1u /**< The bytes hold a descriptor, or its beginning. */
#define VMDK_PROBE_COMPRESSED 0x2u     /**< The header says that grains are compressed. */
#define VMDK_PROBE_HAS_PARENT 0x4u     /**< The descriptor names a parent. */
#define VMDK_PROBE_INCOMPLETE 0x8u     /**< The bytes end inside the descriptor: more of them tell more. */

/** What vmdk_probe() found. */
typedef struct vmdk_probe_result {
    uint32_t struct_size;  /**< Size of this structure. */
    uint32_t kind;         /**< VMDK_FILE_KIND value. */
    uint32_t type;         /**< VMDK_TYPE value of the descriptor, if the bytes hold one. */
    uint32_t flags;        /**< VMDK_PROBE flags. */
    uint64_t capacity;     /**< Size a guest would see, by the descriptor or else the header; 0 unknown. */
    uint64_t bytes_needed; /**< Bytes from the beginning that hold header and descriptor; at most what
                                vmdk_probe() looks at. */
} vmdk_probe_result;

/**
 * @brief Tells from its first bytes what a file is, opening nothing.
 *
 * Never fails because of what the bytes are: what is not recognised is
 * ::VMDK_FILE_KIND_UNKNOWN. 64 KiB from the beginning of a file are enough for
 * every kind but the longest descriptors.
 *
 * @param bytes       The beginning of a file; may be NULL if @p size is 0.
 * @param size        How many bytes there are.
 * @param out_result  Filled; its struct_size must be set.
 *
 * @retval VMDK_OK                   @p out_result is filled.
 * @retval VMDK_ERR_INVALID_ARGUMENT A pointer is NULL or struct_size is not set.
 * @retval VMDK_ERR_NO_MEMORY        An allocation failed.
 *
 * @par Threads
 * May be called at any time from any thread.
 *
 * @since 1.0
 */
VMDK_API vmdk_status vmdk_probe(const void *bytes, size_t size, vmdk_probe_result *out_result);

/** What a descriptor names a file as. */
enum vmdk_reference_kind {
    VMDK_REFERENCE_EXTENT = 0, /**< The file of an extent. */
    VMDK_REFERENCE_PARENT = 1, /**< parentFileNameHint. */
    VMDK_REFERENCE_TRACKING = 2 /**< changeTrackPath. */
};

/** Takes one name. @p name is as the descriptor has it, in UTF-8, valid during
 *  the call only. Return 0 to go on, anything else to stop. */
typedef int (*vmdk_reference_fn)(void *user, uint32_t kind, const char *name);

/**
 * @brief Lists every file that a descriptor names, opening none.
 *
 * For deciding beforehand what an untrusted image would make vmdk_open() open.
 *
 * @param bytes  A descriptor, or the beginning of a file that holds one, as for vmdk_probe().
 * @param size   How many bytes there are.
 * @param fn     Called for each name on this thread: the parent first, then the extents in their
 *               order, then the change-tracking file.
 * @param user   Passed on to @p fn; may be NULL.
 *
 * @retval VMDK_OK                   All names were given to @p fn.
 * @retval VMDK_ERR_INVALID_ARGUMENT A pointer is NULL.
 * @retval VMDK_ERR_NOT_VMDK         The bytes hold no descriptor.
 * @retval VMDK_ERR_CORRUPT          The descriptor breaks the format.
 * @retval VMDK_ERR_UNSUPPORTED      The descriptor says what this version cannot handle.
 * @retval VMDK_ERR_ENCRYPTED        The descriptor is encrypted.
 * @retval VMDK_ERR_LIMIT            The descriptor exceeds the default ::vmdk_limits.
 * @retval VMDK_ERR_NO_MEMORY        An allocation failed.
 * @retval VMDK_ERR_CANCELLED        @p fn asked to stop.
 *
 * @par Threads
 * May be called at any time from any thread.
 *
 * @since 1.0
 */
VMDK_API vmdk_status vmdk_list_references(const void *bytes, size_t size, vmdk_reference_fn fn,
                                          void *user);

#ifdef __cplusplus
}
#endif

#endif /* VMDK_H */
