#pragma once
// SIGINT, SIGTERM and SIGUSR1 as a request to write down what is needed to go on, and to end.

#include <string>

namespace moe {

/// From now on the three signals are noted instead of ending the process; an earlier request is forgotten. A second
/// SIGINT (Ctrl-C again) ends the process at once. Also ignores SIGPIPE: a worker whose parent is gone still has a
/// checkpoint to write.
void install_stop_signals();

/// True once one of the signals has arrived.
bool stop_requested();

/// Name of the last signal that asked, "SIGTERM" for example.
std::string stop_signal_name();

/// A descriptor for poll(): readable once stop_requested(). -1 before install_stop_signals().
int stop_descriptor();

}  // namespace moe
