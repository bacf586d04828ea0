/* normscope as a library: everything that the program uses, in the order in which data flows. */
#ifndef NORMSCOPE_H
#define NORMSCOPE_H

#include "probe/base/error.h"
#include "probe/base/version.h"

#include "datasets/dataset.h"

#include "probe/capture/dump.h"
#include "probe/capture/merge.h"
#include "probe/models/blocks.h"
#include "probe/models/model.h"
#include "probe/norms/norm.h"
#include "probe/norms/site.h"
#include "probe/sketch/sketch.h"
#include "probe/store/store.h"
#include "probe/store/store_write.h"
#include "probe/train/train.h"
#include "probe/store/training.h"
#include "probe/capture/verify.h"
#include "probe/weights/safetensors_write.h"
#include "probe/weights/weights.h"

#include "analysis/correlation.h"
#include "analysis/curve.h"
#include "analysis/fit.h"
#include "analysis/points.h"
#include "analysis/stats.h"

#include "plots/plot.h"
#include "plots/report/report.h"

#endif
