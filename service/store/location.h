// Which store a gateway uses.
#ifndef ASSETGATE_STORE_LOCATION_H_
#define ASSETGATE_STORE_LOCATION_H_

#include <string>

#include "absl/time/time.h"
#include "base/secret.h"
#include "store/store.h"

namespace assetgate::store {

struct Location {
  // One of the two is set: the file of a SQLite store, or the connection string of a PostgreSQL
  // store, which may hold a password.
  std::string sqlite_path;
  base::Secret postgres_uri;
  // How long a gateway that does not renew its leases keeps them. PostgreSQL only.
  absl::Duration lease_duration = absl::Seconds(15);
  Retention retention;

  // Whether several gateways can use the store at the same time.
  bool shared() const { return !postgres_uri.empty(); }
};

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_LOCATION_H_
