; Binary trees, as the benchmarks game has them.

(define (make depth)
  (if (= depth 0) (cons '() '()) (cons (make (- depth 1)) (make (- depth 1)))))
(define (check tree)
  (if (null? (car tree)) 1 (+ 1 (check (car tree)) (check (cdr tree)))))
(define (report what depth check) (print what depth "	 check: " check))

(define (power n) (if (= n 0) 1 (* 2 (power (- n 1)))))

(define least 4)
(define most 10)

(report "stretch tree of depth " (+ most 1) (check (make (+ most 1))))
(define long-lived (make most))
(let loop ((depth least))
  (if (<= depth most)
    (let ((trees (power (+ (- most depth) least))))
      (define sum 0)
      (do-times (i trees) (set! sum (+ sum (check (make depth)))))
      (print trees "	 trees of depth " depth "	 check: " sum)
      (loop (+ depth 2)))))
(report "long lived tree of depth " most (check long-lived))
