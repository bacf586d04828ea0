/* normscope as a library: everything that the program uses. */
#ifndef NORMSCOPE_H
#define NORMSCOPE_H

#include "probe/base/version.h"

#include "analysis/points.h"
#include "datasets/dataset.h"
#include "probe/base/error.h"
#include "probe/model.h"
#include "probe/norm.h"
#include "probe/site.h"
#include "probe/store.h"
#include "probe/weights.h"

#endif
