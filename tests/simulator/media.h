// The media behind every link of the simulator: one small playable MP4, one image and one sound,
// compiled into the program.
#ifndef ASSETGATE_TESTS_SIMULATOR_MEDIA_H_
#define ASSETGATE_TESTS_SIMULATOR_MEDIA_H_

#include "tests/simulator/message.h"

namespace assetgate::simulator {

// GET or HEAD /media/<anything>.mp4, .jpg or .wav; one byte range is served (206, 416), several are
// answered with the whole file, as RFC 9110 allows. 404 for other names, 405 for other methods.
Response ServeMedia(const Request& request);

}  // namespace assetgate::simulator

#endif  // ASSETGATE_TESTS_SIMULATOR_MEDIA_H_
