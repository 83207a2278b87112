#include "calls/defaults.h"

namespace assetgate::calls {

void FillDefaults(const v1::VideoTask& defaults, v1::VideoTask& task) {
  if (!task.has_duration() && defaults.has_duration()) {
    *task.mutable_duration() = defaults.duration();
  }
  if (!task.has_resolution() && defaults.has_resolution()) {
    task.set_resolution(defaults.resolution());
  }
  if (!task.has_aspect_ratio() && defaults.has_aspect_ratio()) {
    task.set_aspect_ratio(defaults.aspect_ratio());
  }
  if (!task.has_generate_audio() && defaults.has_generate_audio()) {
    task.set_generate_audio(defaults.generate_audio());
  }
  if (!task.has_watermark() && defaults.has_watermark()) task.set_watermark(defaults.watermark());
  if (!task.has_seed() && defaults.has_seed()) task.set_seed(defaults.seed());
  if (!task.has_camera_fixed() && defaults.has_camera_fixed()) {
    task.set_camera_fixed(defaults.camera_fixed());
  }
  if (!task.has_return_last_frame() && defaults.has_return_last_frame()) {
    task.set_return_last_frame(defaults.return_last_frame());
  }
}

}  // namespace assetgate::calls
