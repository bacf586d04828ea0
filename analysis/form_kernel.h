/* The sums over one block of points, in one form: included by pass_kernel.h once for each, with these defined as 0 or 1:
 *
 *     FORM_SHIFT, FORM_OFFSET     the sums that d and b need
 *     FORM_WEIGHT                 points have weights
 *     FORM_HUBER                  residuals beyond a threshold count by size
 *
 * and FORM the function's name. Not one sum more than a form needs: they stay in the processor's registers. No include guard. */
#if FORM_SHIFT
#define IF_SHIFT(...) __VA_ARGS__
#else
#define IF_SHIFT(...)
#endif
#if FORM_OFFSET
#define IF_OFFSET(...) __VA_ARGS__
#else
#define IF_OFFSET(...)
#endif
#if FORM_SHIFT && FORM_OFFSET
#define IF_BOTH(...) __VA_ARGS__
#else
#define IF_BOTH(...)
#endif

/* What the parameters' derivatives by alpha and d have in common, s, is left out of them until the end. Two loops, because the
 * processor's registers do not hold all sums at once; the first leaves the residuals in block->y. */
NS_INLINE void FORM(const ns_pass *p, size_t n, const float *y_at, ns_block *block,
                    ns_fit_sums *sums, bool partial) {
    const ns_lanes a = NS_SPLAT(p->theta[NS_ALPHA]), s = NS_SPLAT(p->theta[NS_SCALE]),
                   low = NS_SPLAT(p->low), high = NS_SPLAT(p->high);
    IF_SHIFT(const ns_lanes d = NS_SPLAT(p->theta[NS_SHIFT]);)
    IF_OFFSET(const ns_lanes b = NS_SPLAT(p->theta[NS_OFFSET]);)
    ns_lanes rr = {0}, ra = {0}, rs = {0}, tr = {0};
    IF_SHIFT(ns_lanes rd = {0};)
    IF_OFFSET(ns_lanes rb = {0};)
#if FORM_WEIGHT
    ns_lanes n0 = {0}, tn = {0};
#else
    ns_lane_mask tn = {0};
#endif
    ns_lanes aa = {0}, sa = {0}, ss = {0}, h0 = {0};
    IF_SHIFT(ns_lanes da = {0}, ds = {0}, dd = {0}, h2 = {0}, h4 = {0};)
    IF_OFFSET(ns_lanes ba = {0}, bs = {0}, bb = {0};)
    IF_BOTH(ns_lanes bd = {0};)
#if FORM_HUBER
    const ns_lanes huber = NS_SPLAT(p->huber), none = {0}, whole = NS_SPLAT(1.0);
#endif
    for (size_t i = 0; i < n; i += NS_LANES) {
        ns_lanes x = NS_LANES_AT(block->x, i), y;
        ns_lanes_load(y_at + i, &y);
        ns_lanes u = a * x IF_SHIFT(+d), f, f1, f2;
        curve_at(&u, block, i, &f, &f1, &f2);
        ns_lanes r = s * f - y IF_OFFSET(+b);
        ns_lane_mask tail = (x < low) | (x > high);
        if (partial) {
            ns_lane_mask there;
            ns_lanes_first(n, &there);
            r = NS_ONLY(there, r), tail &= there;
        }
        ns_lanes square = r * r;
#if FORM_WEIGHT
        ns_lanes w = NS_LANES_AT(block->weight, i);
        r *= w, square *= w;
        n0 += w, tn += NS_ONLY(tail, w);
#else
        tn -= tail;
#endif
        tr += NS_ONLY(tail, square);
#if FORM_HUBER
        ns_lanes size = NS_SELECT(r < none, -r, r), pull = huber / size;
        ns_lane_mask far = size > huber;
        square = NS_SELECT(far, huber * (2.0 * size - huber), square);
        r *= NS_SELECT(far, pull, whole);
        NS_LANES_AT(block->weight, i) = NS_ONLY(~far, whole);
#endif
#if FORM_SPLIT
        NS_LANES_AT(block->r, i) = r;
#endif
        rr += square;
        ra += r * (f1 * x), rs += r * f;
        IF_SHIFT(rd += r * f1;)
        IF_OFFSET(rb += r;)
#if FORM_SPLIT
    }
    for (size_t i = 0; i < n; i += NS_LANES) {
        ns_lanes x = NS_LANES_AT(block->x, i), r = NS_LANES_AT(block->r, i);
        ns_lanes u = a * x IF_SHIFT(+d), f, f1, f2;
        curve_at(&u, block, i, &f, &f1, &f2);
#endif
        IF_OFFSET(ns_lanes w = NS_SPLAT(1.0);)
        if (partial) {
            ns_lane_mask there;
            ns_lanes_first(n, &there);
            f = NS_ONLY(there, f), f1 = NS_ONLY(there, f1);
            IF_OFFSET(w = NS_ONLY(there, w);)
        }
        ns_lanes q = f1 * x, bend = r * f2, bent = bend * x;
#if FORM_WEIGHT || FORM_HUBER
        w *= NS_LANES_AT(block->weight, i);
        ns_lanes wf = w * f, wq = w * q, wp = w * f1;
#else
        ns_lanes wf = f, wq = q;
        IF_BOTH(ns_lanes wp = f1;)
#endif
        aa += wq * q, sa += wq * f, ss += wf * f, h0 += bent * x;
        IF_SHIFT(da += wq * f1; ds += wf * f1; dd += wp * f1; h2 += bent; h4 += bend;)
        IF_OFFSET(ba += wq; bs += wf; bb += w;)
        IF_BOTH(bd += wp;)
    }
#define SUM(v) ns_lanes_sum(&(v))
    const double scale = p->theta[NS_SCALE];
#if FORM_WEIGHT
    sums->n += SUM(n0);
    sums->tail_n += SUM(tn);
#else
    sums->n += (double)n;
    sums->tail_n += (double)((tn[0] + tn[1]) + (tn[2] + tn[3]));
#endif
    sums->rr += SUM(rr);
    sums->tail_rr += SUM(tr);
    double slope = SUM(ra);
    sums->jr[NS_ALPHA] += scale * slope, sums->jr[NS_SCALE] += SUM(rs);
    sums->jj[0] += scale * scale * SUM(aa), sums->jj[1] += scale * SUM(sa), sums->jj[2] += SUM(ss);
    sums->rh[0] += scale * SUM(h0), sums->rh[1] += slope;
    IF_SHIFT(double turn = SUM(rd); sums->jr[NS_SHIFT] += scale * turn;
             sums->jj[3] += scale * scale * SUM(da); sums->jj[4] += scale * SUM(ds);
             sums->jj[5] += scale * scale * SUM(dd); sums->rh[2] += scale * SUM(h2);
             sums->rh[3] += turn; sums->rh[4] += scale * SUM(h4);)
    IF_OFFSET(sums->jr[NS_OFFSET] += SUM(rb); sums->jj[6] += scale * SUM(ba);
              sums->jj[7] += SUM(bs); sums->jj[9] += SUM(bb);)
    IF_BOTH(sums->jj[8] += scale * SUM(bd);)
}

#undef SUM
#undef FORM
#undef FORM_SHIFT
#undef FORM_OFFSET
#undef FORM_WEIGHT
#undef FORM_HUBER
#undef FORM_SPLIT
#undef IF_SHIFT
#undef IF_OFFSET
#undef IF_BOTH
