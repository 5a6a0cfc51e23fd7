// What the scheduler and the container's quota leave to this process.
#include "src/base/usable_cpus.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace specinfer {
namespace {

#if defined(__linux__)

constexpr double kNoQuota = 1e9;

// CPUs that the folder's quota allows: "max 100000" or "150000 100000" (version
// 2), or two files (version 1).
double FolderQuota(const std::string& folder, bool is_version_2) {
  double quota = 0.0, period = 0.0;
  if (is_version_2) {
    std::ifstream file(folder + "/cpu.max");
    if (!(file >> quota >> period)) return kNoQuota;  // "max" is no number
  } else {
    std::ifstream quota_file(folder + "/cpu.cfs_quota_us"),
        period_file(folder + "/cpu.cfs_period_us");
    if (!(quota_file >> quota) || !(period_file >> period)) return kNoQuota;
  }
  return quota > 0.0 && period > 0.0 ? quota / period : kNoQuota;
}

// The smallest quota of `group` ("/a/b") and the groups that hold it.
double PathQuota(const std::string& root, std::string group,
                 bool is_version_2) {
  double quota = FolderQuota(root, is_version_2);
  while (group.size() > 1) {
    quota = std::min(quota, FolderQuota(root + group, is_version_2));
    group.resize(group.find_last_of('/'));
  }
  return quota;
}

bool ListsCpu(std::string_view controllers) {
  while (!controllers.empty()) {
    const size_t comma = controllers.find(',');
    if (controllers.substr(0, comma) == "cpu") return true;
    if (comma == std::string_view::npos) break;
    controllers.remove_prefix(comma + 1);
  }
  return false;
}

double GroupQuota() {
  double quota = std::min(FolderQuota("/sys/fs/cgroup", true),
                          FolderQuota("/sys/fs/cgroup/cpu", false));
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {  // "0::/path" or "4:cpu,cpuacct:/path"
    const size_t first = line.find(':');
    const size_t second =
        first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos || second + 1 >= line.size() ||
        line[second + 1] != '/')
      continue;
    const std::string_view controllers =
        std::string_view(line).substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (controllers.empty()) {
      quota = std::min(quota, PathQuota("/sys/fs/cgroup", group, true));
    } else if (ListsCpu(controllers)) {
      quota = std::min(quota, PathQuota("/sys/fs/cgroup/cpu", group, false));
    }
  }
  return quota;
}

#endif

}  // namespace

int NumUsableCpus() {
  int num_cpus = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0)
    num_cpus = CPU_COUNT(&allowed);
  num_cpus = static_cast<int>(
      std::min(static_cast<double>(num_cpus), std::ceil(GroupQuota())));
#endif
  return std::max(num_cpus, 1);
}

}  // namespace specinfer
