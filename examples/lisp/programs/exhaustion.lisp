; Memory is used up, again and again, in pieces of several sizes: each time that is an error, and then there is memory again.
; Run it under a limit.

(define kept (iota 1000))

; The program itself holds all of it: whoever handles the error has a little memory nevertheless.
(define all '())
(define (hold)
  (guard (e (let ((few (iota 50))) (set! all few) (error-message e)))
    (while #t (set! all (cons 1 all)))))
(print "held by the program: " (hold) ", " (hold))

(define (fill make)
  (guard (e (error-message e))
    (let loop ((all '())) (loop (cons (make) all)))))

(define (try what make)
  (do-times (i 3)
    (let ((end (fill make)))
      (if (not (equal? end "out of memory")) (print what ": " end))))
  (print what " and again: " (fold + 0 kept)))

(try "pairs" (lambda () (cons 1 2)))
(try "floats" (lambda () (* 1.5 2)))
(try "vectors" (lambda () (make-vector 100 0)))
(try "long vectors" (lambda () (make-vector 5000 0)))
(try "strings" (lambda () (string-append "a string" " and another one")))
(try "tables" table)
(try "closures" (lambda () (lambda () 1)))
