// ThreadSanitizer's options in the test programs; TSAN_OPTIONS still applies on top.
extern "C" const char* __tsan_default_options() {
  return "halt_on_error=1:second_deadlock_stack=1";
}
