// Identifies the account that a unit was submitted with, without storing any part of its key.
//
// A credential's id is a name that operators choose: they can put another account's key under it.
// Only the account that submitted a unit knows the unit; its idempotency key and task id mean
// nothing to another account.
#ifndef ASSETGATE_MODEL_FINGERPRINT_H_
#define ASSETGATE_MODEL_FINGERPRINT_H_

#include <string>

#include "http/message.h"
#include "model/catalog.h"
#include "model/record.pb.h"
#include "provider/dialect.h"

namespace assetgate::model {

// Covers the provider's address and the secrets that its dialect uses. Each fingerprint has its own
// salt, so two units of one account cannot be linked. If the system has no random bytes, the
// fingerprint has no salt and matches nothing.
AccountFingerprint FingerprintOf(const ProviderEntry& provider,
                                 const provider::Credential& credential);
bool Matches(const AccountFingerprint& fingerprint, const ProviderEntry& provider,
             const provider::Credential& credential);

// The configured credential (current or previous, under any id) with which the unit was submitted
// to this address. nullptr if it is neither, or if the unit has no recorded fingerprint.
const provider::Credential* CredentialBehind(const Unit& unit, const ProviderEntry& provider);
// The credential to poll the unit with: the one above, or, if that is not known, the one with the
// unit's credential id (see ProviderEntry::CredentialFor).
const provider::Credential& CredentialToAsk(const Unit& unit, const ProviderEntry& provider);
// Whether the unit was certainly submitted with an account that is no longer configured. The
// configured accounts' answers then say nothing about the unit.
bool IsOfAnotherAccount(const Unit& unit, const ProviderEntry& provider);

// SHA-256 of a request without its credentials: equal digests mean byte-for-byte equal requests.
std::string DigestOf(const http::Request& request);

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_FINGERPRINT_H_
