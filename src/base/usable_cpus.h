// How many CPUs this process may use.
#ifndef SPECINFER_SRC_BASE_USABLE_CPUS_H_
#define SPECINFER_SRC_BASE_USABLE_CPUS_H_

namespace specinfer {

// Affinity and the control groups' quotas considered; at least 1.
int NumUsableCpus();

}  // namespace specinfer

#endif  // SPECINFER_SRC_BASE_USABLE_CPUS_H_
