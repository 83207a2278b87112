#include "store/testing/faulty_vfs.h"

#include <sqlite3.h>

#include <new>
#include <string>
#include <utility>

namespace assetgate::store::sqlite {
namespace {

using Operation = FaultyVfs::Operation;

FaultyVfs::Judge* g_judge = nullptr;
sqlite3_vfs* g_real_vfs = nullptr;
sqlite3_vfs g_vfs;

// SQLite allocates szOsFile bytes; the real file follows this one in them.
struct File {
  sqlite3_file base;
  std::string* path;

  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

File* Of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
sqlite3_file* Real(sqlite3_file* file) { return Of(file)->real(); }
const sqlite3_io_methods* Methods(sqlite3_file* file) { return Real(file)->pMethods; }

int Judge(Operation operation, sqlite3_file* file) {
  return (*g_judge)(operation, *Of(file)->path);
}

int Close(sqlite3_file* file) {
  delete Of(file)->path;
  return Methods(file)->xClose(Real(file));
}
int Read(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
  const int code = Judge(Operation::kRead, file);
  return code != SQLITE_OK ? code : Methods(file)->xRead(Real(file), data, size, offset);
}
int Write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  const int code = Judge(Operation::kWrite, file);
  return code != SQLITE_OK ? code : Methods(file)->xWrite(Real(file), data, size, offset);
}
int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  return Methods(file)->xTruncate(Real(file), size);
}
int Sync(sqlite3_file* file, int flags) {
  const int code = Judge(Operation::kSync, file);
  return code != SQLITE_OK ? code : Methods(file)->xSync(Real(file), flags);
}
int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  return Methods(file)->xFileSize(Real(file), size);
}
int Lock(sqlite3_file* file, int level) { return Methods(file)->xLock(Real(file), level); }
int Unlock(sqlite3_file* file, int level) { return Methods(file)->xUnlock(Real(file), level); }
int CheckReservedLock(sqlite3_file* file, int* out) {
  return Methods(file)->xCheckReservedLock(Real(file), out);
}
int FileControl(sqlite3_file* file, int what, void* argument) {
  return Methods(file)->xFileControl(Real(file), what, argument);
}
int SectorSize(sqlite3_file* file) { return Methods(file)->xSectorSize(Real(file)); }
int DeviceCharacteristics(sqlite3_file* file) {
  return Methods(file)->xDeviceCharacteristics(Real(file));
}
int ShmMap(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  if (extend != 0) {
    if (const int code = Judge(Operation::kGrowIndex, file); code != SQLITE_OK) return code;
  }
  return Methods(file)->xShmMap(Real(file), page, size, extend, out);
}
int ShmLock(sqlite3_file* file, int offset, int n, int flags) {
  return Methods(file)->xShmLock(Real(file), offset, n, flags);
}
void ShmBarrier(sqlite3_file* file) { Methods(file)->xShmBarrier(Real(file)); }
int ShmUnmap(sqlite3_file* file, int remove) {
  return Methods(file)->xShmUnmap(Real(file), remove);
}

constexpr sqlite3_io_methods kMethods = {
    .iVersion = 2,  // Without memory-mapped reads, which would bypass kRead.
    .xClose = Close,
    .xRead = Read,
    .xWrite = Write,
    .xTruncate = Truncate,
    .xSync = Sync,
    .xFileSize = FileSize,
    .xLock = Lock,
    .xUnlock = Unlock,
    .xCheckReservedLock = CheckReservedLock,
    .xFileControl = FileControl,
    .xSectorSize = SectorSize,
    .xDeviceCharacteristics = DeviceCharacteristics,
    .xShmMap = ShmMap,
    .xShmLock = ShmLock,
    .xShmBarrier = ShmBarrier,
    .xShmUnmap = ShmUnmap,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  const int code = g_real_vfs->xOpen(g_real_vfs, name, Real(file), flags, out_flags);
  if (Methods(file) == nullptr) return code;
  Of(file)->path = new std::string(name == nullptr ? "" : name);
  file->pMethods = &kMethods;
  return code;
}

}  // namespace

FaultyVfs::FaultyVfs(Judge judge) {
  g_judge = new Judge(std::move(judge));
  g_real_vfs = sqlite3_vfs_find(nullptr);
  g_vfs = *g_real_vfs;
  g_vfs.zName = "faulty";
  g_vfs.szOsFile = static_cast<int>(sizeof(File)) + g_real_vfs->szOsFile;
  g_vfs.xOpen = Open;
  sqlite3_vfs_register(&g_vfs, /*makeDflt=*/1);
}

FaultyVfs::~FaultyVfs() {
  sqlite3_vfs_register(g_real_vfs, /*makeDflt=*/1);
  sqlite3_vfs_unregister(&g_vfs);
  delete g_judge;
}

}  // namespace assetgate::store::sqlite
