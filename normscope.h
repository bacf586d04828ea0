/* normscope as a library: everything that the program uses, in the order in which data flows. */
#ifndef NORMSCOPE_H
#define NORMSCOPE_H

#include "probe/base/error.h"
#include "probe/base/version.h"

#include "datasets/dataset.h"

#include "probe/dump.h"
#include "probe/merge.h"
#include "probe/model.h"
#include "probe/norm.h"
#include "probe/site.h"
#include "probe/sketch.h"
#include "probe/store.h"
#include "probe/store_write.h"
#include "probe/train/train.h"
#include "probe/train/training.h"
#include "probe/verify.h"
#include "probe/safetensors_write.h"
#include "probe/weights.h"

#include "analysis/correlation.h"
#include "analysis/curve.h"
#include "analysis/fit.h"
#include "analysis/points.h"
#include "analysis/stats.h"

#include "plots/plot.h"
#include "plots/report.h"

#endif
