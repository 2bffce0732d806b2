"""A file system with the abilities of exFAT, over a folder: mounted by tests, not by people.

    poor.py SOURCE MOUNT [--room BYTES] [--no-folder-sync] [--links]

- names have none of the characters that exFAT refuses, and differ in more than the case of letters
- there are no hard links, no symbolic links, no modes and no owners
- nothing is renamed without replacing (RENAME_NOREPLACE): the protocol of FUSE 2 does not have it
- with --room, writing fails with ENOSPC once so many bytes are there
- with --links, there are symbolic links
- with --no-folder-sync, fsync of a folder fails with EINVAL
"""

import argparse
import errno
import os
import threading

from fusepy import FUSE, FuseOSError, Operations

FORBIDDEN = set('"*/:<>?\\|') | {chr(code) for code in range(32)}


class Poor(Operations):
    def __init__(self, source, room, folder_sync, links):
        self.source = source
        self.room = room
        self.folder_sync = folder_sync
        self.links = links
        self.lock = threading.Lock()

    def real(self, path):
        """The path below the source: an entry that differs in case alone is the same entry."""
        real = self.source
        for name in filter(None, path.split("/")):
            if FORBIDDEN & set(name) or name.endswith((".", " ")):
                raise FuseOSError(errno.EINVAL)
            try:
                entries = os.listdir(real)
            except OSError:
                entries = []
            same = [entry for entry in entries if entry.lower() == name.lower()]
            real = os.path.join(real, same[0] if same else name)
        return real

    def used(self):
        walk = os.walk(self.source)
        paths = (os.path.join(folder, file) for folder, _, files in walk for file in files)
        return sum(os.lstat(path).st_size for path in paths)

    def getattr(self, path, fh=None):
        found = os.lstat(self.real(path))
        keys = ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid", "st_mtime", "st_atime", "st_ctime")
        return {key: getattr(found, key) for key in keys}

    def readdir(self, path, fh):
        return [".", "..", *os.listdir(self.real(path))]

    def open(self, path, flags):
        return os.open(self.real(path), flags)

    def create(self, path, mode, fi=None):
        return os.open(self.real(path), os.O_RDWR | os.O_CREAT, 0o777)

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        with self.lock:
            if self.room is not None and self.used() + len(data) > self.room:
                raise FuseOSError(errno.ENOSPC)
            return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        os.truncate(self.real(path), length)

    def flush(self, path, fh):
        return 0

    def fsync(self, path, datasync, fh):
        return os.fsync(fh)

    def fsyncdir(self, path, datasync, fh):
        if not self.folder_sync:
            raise FuseOSError(errno.EINVAL)
        return 0

    def lock(self, path, fh, cmd, lock):
        return 0

    def release(self, path, fh):
        return os.close(fh)

    def mkdir(self, path, mode):
        os.mkdir(self.real(path), 0o777)

    def rmdir(self, path):
        os.rmdir(self.real(path))

    def unlink(self, path):
        os.unlink(self.real(path))

    def rename(self, old, new):
        os.rename(self.real(old), self.real(new))

    def link(self, target, source):
        raise FuseOSError(errno.EPERM)

    def symlink(self, target, source):
        if not self.links:
            raise FuseOSError(errno.EPERM)
        os.symlink(source, self.real(target))

    def readlink(self, path):
        return os.readlink(self.real(path))

    def chmod(self, path, mode):
        return 0

    def chown(self, path, uid, gid):
        return 0

    def utimens(self, path, times=None):
        os.utime(self.real(path), times)

    def statfs(self, path):
        found = os.statvfs(self.source)
        size = 4096
        free = found.f_bavail if self.room is None else max(0, self.room - self.used()) // size
        return {"f_bsize": size, "f_frsize": size, "f_blocks": found.f_blocks, "f_bavail": free, "f_bfree": free}


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("source")
    arguments.add_argument("mount")
    arguments.add_argument("--room", type=int)
    arguments.add_argument("--no-folder-sync", action="store_true")
    arguments.add_argument("--links", action="store_true")
    given = arguments.parse_args()
    operations = Poor(os.path.realpath(given.source), given.room, not given.no_folder_sync, given.links)
    FUSE(operations, given.mount, foreground=True, nothreads=False, default_permissions=False)
