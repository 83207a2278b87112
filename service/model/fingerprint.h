// Under which account a unit was submitted, without keeping anything of its key.
//
// A credential's id is a name that people give: a key can be replaced under it, by one of another
// account. What was submitted under the former key is known to the former account alone; its
// idempotency key and its task id mean nothing to the other one.
#ifndef ASSETGATE_MODEL_FINGERPRINT_H_
#define ASSETGATE_MODEL_FINGERPRINT_H_

#include <string>

#include "http/message.h"
#include "model/catalog.h"
#include "model/record.pb.h"
#include "provider/dialect.h"

namespace assetgate::model {

// Of the provider's address and the secrets that its dialect asks for. Every one has a salt of its
// own: two units of one account cannot be told to be that. Without one where the system has no
// random bytes; such a fingerprint matches nothing.
AccountFingerprint FingerprintOf(const ProviderEntry& provider,
                                 const provider::Credential& credential);
bool Matches(const AccountFingerprint& fingerprint, const ProviderEntry& provider,
             const provider::Credential& credential);

// The configured credential with which the unit was submitted, at the address where it was: the
// present one or the previous one, by whatever id. nullptr where it is neither, or where the unit's
// fingerprint is not on record.
const provider::Credential* CredentialBehind(const Unit& unit, const ProviderEntry& provider);
// The credential with which the unit is asked for: that one, or where it is not known, what goes by
// its id (see ProviderEntry::CredentialFor).
const provider::Credential& CredentialToAsk(const Unit& unit, const ProviderEntry& provider);
// Whether the account that it was submitted with is surely another one than those configured, so
// that what they say of it is no news of it.
bool IsOfAnotherAccount(const Unit& unit, const ProviderEntry& provider);

// SHA-256 of a request without its credentials: two with the same digest are the same to the byte.
std::string DigestOf(const http::Request& request);

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_FINGERPRINT_H_
